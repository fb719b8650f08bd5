//! On a stop, the queue is emptied for a while. The rest is handed back.

// ANCHOR: work
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// Does jobs until it is told to stop, and then what is in the queue,
/// for the grace period. Returns what was done, and what was not.
async fn work(
    mut jobs: mpsc::Receiver<u32>,
    stop: CancellationToken,
    grace: Duration,
) -> (Vec<u32>, Vec<u32>) {
    let mut done = Vec::new();
    while let Some(Some(job)) =
        stop.run_until_cancelled(jobs.recv()).await
    {
        run(job).await;
        done.push(job);
    }
    // From now on `send` fails, and the other side knows.
    jobs.close();
    let deadline = Instant::now() + grace;
    let mut left = Vec::new();
    while let Some(job) = jobs.recv().await {
        if Instant::now() + LONGEST <= deadline {
            run(job).await;
            done.push(job);
        } else {
            left.push(job);
        }
    }
    (done, left)
}

/// What a job may take: one that might not end in time is not begun.
const LONGEST: Duration = Duration::from_millis(200);
// ANCHOR_END: work

async fn run(_job: u32) {
    sleep(LONGEST).await;
}

/// Ten jobs are queued, and after half a second comes the stop.
async fn stop_after_half_a_second() -> (Vec<u32>, Vec<u32>) {
    let (sender, jobs) = mpsc::channel(16);
    for job in 1..=10 {
        sender.send(job).await.expect("there is room");
    }
    let stop = CancellationToken::new();
    let grace = Duration::from_secs(1);
    let working = tokio::spawn(work(jobs, stop.clone(), grace));
    sleep(Duration::from_millis(500)).await;
    stop.cancel();
    working.await.expect("it does not panic")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (done, left) = stop_after_half_a_second().await;
    println!("done:        {done:?}");
    println!("handed back: {left:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_is_done_or_handed_back() {
        let start = Instant::now();
        let (done, left) = stop_after_half_a_second().await;
        assert_eq!(done, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(left, [9, 10]);
        // The job of the moment, and then the grace period.
        let limit = Duration::from_millis(600 + 1000);
        assert!(start.elapsed() <= limit);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_stop_nothing_is_accepted() {
        let (sender, jobs) = mpsc::channel(16);
        let stop = CancellationToken::new();
        stop.cancel();
        let grace = Duration::from_secs(1);
        let working = tokio::spawn(work(jobs, stop, grace));
        sender.closed().await;
        assert!(sender.send(1).await.is_err());
        let nothing = (vec![], vec![]);
        assert_eq!(working.await.expect("no panic"), nothing);
    }
}
