//! On a stop, drain the queue for a while, and hand back the rest.

// ANCHOR: work
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Runs jobs until the stop, then drains the queue. That takes at most
/// `LONGEST` plus the grace period. If dropped, it loses the queue. A
/// permit that's used after that loses its job.
async fn work(
    mut jobs: mpsc::Receiver<u32>,
    stop: CancellationToken,
    grace: Duration,
) -> Ended {
    let mut ended = Ended::default();
    while let Some(Some(job)) =
        stop.run_until_cancelled(jobs.recv()).await
    {
        ended.attempt(job, Instant::now() + LONGEST).await;
    }
    // From now on, `send` fails and returns the job to its caller.
    jobs.close();
    // Unlike `Instant::now() + grace`, it can't overflow.
    let deadline = sleep(grace).deadline();
    let last_start = deadline - USUAL;
    while Instant::now() <= last_start
        && let Ok(Some(job)) = timeout_at(last_start, jobs.recv()).await
    {
        ended.attempt(job, deadline).await;
    }
    // Wait only for senders that hold a permit.
    while let Ok(Some(job)) = timeout_at(deadline, jobs.recv()).await {
        ended.left.push(job);
    }
    ended.left.extend(std::iter::from_fn(|| jobs.try_recv().ok()));
    ended
}
// ANCHOR_END: work

// ANCHOR: attempt
use std::panic::AssertUnwindSafe;

use futures::FutureExt;

/// How long a job usually takes. Near the deadline, a job isn't started
/// if there is less time left.
const USUAL: Duration = Duration::from_millis(200);
/// A job that takes longer is cut off.
const LONGEST: Duration = Duration::from_secs(2);

/// How the jobs ended.
#[derive(Debug, Default, PartialEq)]
struct Ended {
    /// If a service runs for months, log these and `unknown` instead.
    done: Vec<u32>,
    /// Cut off or panicked: started, and maybe partly done.
    unknown: Vec<u32>,
    /// Not started.
    left: Vec<u32>,
}

impl Ended {
    async fn attempt(&mut self, job: u32, deadline: Instant) {
        // The job is dropped inside, so a panic in `drop` is caught.
        let run = async { timeout_at(deadline, run(job)).await };
        match AssertUnwindSafe(run).catch_unwind().await {
            Ok(Ok(())) => self.done.push(job),
            Ok(Err(_elapsed)) => self.unknown.push(job),
            Err(_panic) => self.unknown.push(job),
        }
    }
}
// ANCHOR_END: attempt

async fn run(_job: u32) {
    #[cfg(test)]
    tests::trouble(_job).await;
    sleep(USUAL).await;
}

/// Ten jobs are queued, and after half a second comes the stop.
async fn stop_after_half_a_second() -> Ended {
    let (sender, jobs) = mpsc::channel(16);
    for job in 1..=10 {
        sender.send(job).await.expect("there is room");
    }
    let stop = CancellationToken::new();
    let grace = Duration::from_secs(1);
    let stops = async {
        sleep(Duration::from_millis(500)).await;
        stop.cancel();
    };
    tokio::join!(work(jobs, stop.clone(), grace), stops).0
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let ended = stop_after_half_a_second().await;
    println!("done:        {:?}", ended.done);
    println!("handed back: {:?}", ended.left);
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        /// Jobs that panic, and jobs that never end.
        static TROUBLE: RefCell<(Vec<u32>, Vec<u32>)> =
            const { RefCell::new((vec![], vec![])) };
    }

    pub async fn trouble(job: u32) {
        let (panics, hangs) = TROUBLE.with_borrow(|(panics, hangs)| {
            (panics.contains(&job), hangs.contains(&job))
        });
        if panics {
            std::panic::resume_unwind(Box::new("no paper"));
        }
        if hangs {
            std::future::pending().await
        }
        if job == PANICS_IN_DROP {
            let _guard = PanicsInDrop;
            std::future::pending().await
        }
        if job >= SLOW {
            sleep(Duration::from_secs(1)).await;
        }
    }

    const PANICS_IN_DROP: u32 = 999;

    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("in `drop`"));
        }
    }

    /// Jobs from this one on take a second longer.
    const SLOW: u32 = 1000;

    /// Every job is in one of the lists.
    fn all(ended: &Ended) -> Vec<u32> {
        let mut all = ended.done.clone();
        all.extend(&ended.unknown);
        all.extend(&ended.left);
        all.sort_unstable();
        all
    }

    const LIMIT: Duration = Duration::from_secs(4);

    #[tokio::test(start_paused = true)]
    async fn stop_does_each_job_or_hands_it_back() {
        let start = Instant::now();
        let ended = stop_after_half_a_second().await;
        assert_eq!(ended.done, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(ended.left, [9, 10]);
        // The job of the moment, and then the grace period.
        let limit = Duration::from_millis(600 + 1000);
        assert!(start.elapsed() <= limit);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_at_any_moment_counts_every_job() {
        for millis in 0..2500 {
            let (sender, jobs) = mpsc::channel(16);
            for job in 1..=10 {
                sender.send(job).await.expect("there is room");
            }
            let stop = CancellationToken::new();
            let grace = Duration::from_millis(500);
            let stops = async {
                sleep(Duration::from_millis(millis)).await;
                stop.cancel();
            };
            let worked = work(jobs, stop.clone(), grace);
            let (ended, ()) = tokio::join!(worked, stops);
            assert_eq!(all(&ended), Vec::from_iter(1..=10));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_new_jobs() {
        let (sender, jobs) = mpsc::channel(16);
        let stop = CancellationToken::new();
        stop.cancel();
        let grace = Duration::from_secs(1);
        let working = tokio::spawn(work(jobs, stop, grace));
        sender.closed().await;
        assert!(sender.send(1).await.is_err());
        assert_eq!(working.await.expect("no panic"), Ended::default());
    }

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_new_jobs_while_it_drains() {
        let (sender, jobs) = mpsc::channel(16);
        for job in 1..=5 {
            sender.send(job).await.expect("there is room");
        }
        let stop = CancellationToken::new();
        stop.cancel();
        let grace = Duration::from_secs(10);
        let working = tokio::spawn(work(jobs, stop, grace));
        sleep(Duration::from_millis(100)).await;
        let refused = sender.send(6).await.expect_err("it's closed");
        assert_eq!(refused.0, 6);
        let ended = working.await.expect("no panic");
        assert_eq!(ended.done, [1, 2, 3, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_leaves_the_other_jobs() {
        for broken in hazards::some_panic(10) {
            let jobs: Vec<u32> =
                broken.iter().map(|nth| *nth as u32 + 1).collect();
            TROUBLE.set((jobs.clone(), vec![]));
            let ended = stop_after_half_a_second().await;
            assert_eq!(all(&ended), Vec::from_iter(1..=10));
            assert!(ended.unknown.iter().all(|it| jobs.contains(it)));
            assert!(ended.done.iter().all(|it| !jobs.contains(it)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_in_a_drop_at_the_deadline_leaves_the_other_jobs() {
        let (sender, jobs) = mpsc::channel(16);
        for job in [PANICS_IN_DROP, 1] {
            sender.send(job).await.expect("there is room");
        }
        drop(sender);
        let stop = CancellationToken::new();
        let ended = work(jobs, stop, Duration::from_secs(1)).await;
        assert_eq!(ended.unknown, [PANICS_IN_DROP]);
        assert_eq!(ended.done, [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_job_ends_with_the_grace_period() {
        for job in [1, 3, 6] {
            TROUBLE.set((vec![], vec![job]));
            let work = stop_after_half_a_second();
            let ended = hazards::within(LIMIT, work).await;
            assert_eq!(all(&ended), Vec::from_iter(1..=10));
            assert_eq!(ended.unknown, [job]);
        }
    }

    /// A sender holds a permit for a job that it never sends.
    #[tokio::test(start_paused = true)]
    async fn silence_of_a_sender_ends_with_the_grace_period() {
        let (sender, jobs) = mpsc::channel(16);
        let _permit = sender.reserve().await.expect("there is room");
        let stop = CancellationToken::new();
        stop.cancel();
        let work = work(jobs, stop, Duration::from_secs(1));
        let ended = hazards::within(LIMIT, work).await;
        assert_eq!(ended, Ended::default());
    }

    /// A permit's job is handed back until the deadline, and lost after
    /// it, as documented.
    #[tokio::test(start_paused = true)]
    async fn slow_sender_with_a_permit_is_heard_until_the_deadline() {
        for (millis, left) in
            [(801, vec![7]), (999, vec![7]), (1001, vec![])]
        {
            let (sender, jobs) = mpsc::channel(16);
            let permit = sender.reserve().await.expect("room");
            let stop = CancellationToken::new();
            stop.cancel();
            let work = work(jobs, stop, Duration::from_secs(1));
            let send = async {
                sleep(Duration::from_millis(millis)).await;
                permit.send(7);
            };
            let (ended, ()) = tokio::join!(work, send);
            assert_eq!(ended, Ended { left, ..Ended::default() });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn overload_hands_back_what_does_not_fit() {
        let (sender, jobs) = mpsc::channel(100);
        for job in 0..100 {
            sender.send(job).await.expect("there is room");
        }
        let stop = CancellationToken::new();
        stop.cancel();
        let work = work(jobs, stop, Duration::from_secs(1));
        let ended = hazards::within(LIMIT, work).await;
        assert_eq!((ended.done.len(), ended.left.len()), (5, 95));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_grace_and_no_sender() {
        let (sender, jobs) = mpsc::channel(1);
        sender.send(1).await.expect("there is room");
        let stop = CancellationToken::new();
        stop.cancel();
        let ended = work(jobs, stop, Duration::ZERO).await;
        assert_eq!(ended.left, [1]);
        let (sender, jobs) = mpsc::channel(1);
        drop(sender);
        let stop = CancellationToken::new();
        let ended = work(jobs, stop, Duration::from_secs(1)).await;
        assert_eq!(ended, Ended::default());
    }

    #[tokio::test(start_paused = true)]
    async fn edges_endless_grace() {
        let (sender, jobs) = mpsc::channel(1);
        sender.send(1).await.expect("there is room");
        drop(sender);
        let stop = CancellationToken::new();
        stop.cancel();
        let ended = work(jobs, stop, Duration::MAX).await;
        assert_eq!(ended.done, [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_jobs_are_cut_at_the_deadline() {
        let (sender, jobs) = mpsc::channel(16);
        for job in SLOW..SLOW + 4 {
            sender.send(job).await.expect("there is room");
        }
        let stop = CancellationToken::new();
        stop.cancel();
        let start = Instant::now();
        let grace = Duration::from_secs(2);
        let ended = work(jobs, stop, grace).await;
        assert_eq!(start.elapsed(), grace);
        assert_eq!(ended.done, [SLOW]);
        assert_eq!(ended.unknown, [SLOW + 1]);
        assert_eq!(ended.left, [SLOW + 2, SLOW + 3]);
    }

    /// Dropped, it loses the queue, as documented; senders notice.
    #[tokio::test(start_paused = true)]
    async fn cancel_closes_the_queue() {
        hazards::at_every_poll(async |cancel| {
            let (sender, jobs) = mpsc::channel(16);
            sender.send(1).await.expect("there is room");
            let stop = CancellationToken::new();
            let stops = stop.clone();
            let stopping = tokio::spawn(async move {
                sleep(Duration::from_millis(100)).await;
                stops.cancel();
            });
            cancel.run(work(jobs, stop, hazards::HOUR)).await;
            assert!(sender.send(2).await.is_err());
            stopping.await.expect("no panic");
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_closes_the_queue() {
        let (sender, jobs) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let owner = tokio::spawn(work(jobs, stop, hazards::HOUR));
        sender.send(1).await.expect("there is room");
        owner.abort();
        hazards::within(hazards::HOUR, sender.closed()).await;
        hazards::no_task_left().await;
    }

    /// Senders race with the stop: each job is counted, or refused.
    #[tokio::test(flavor = "multi_thread")]
    async fn threads_lose_no_job() {
        for _ in 0..20 {
            let (sender, jobs) = mpsc::channel(4);
            let stop = CancellationToken::new();
            let grace = Duration::from_secs(1);
            let working = tokio::spawn(work(jobs, stop.clone(), grace));
            let mut senders = tokio::task::JoinSet::new();
            for job in 0..8 {
                let sender = sender.clone();
                senders.spawn(
                    async move { sender.send(job).await.is_ok() },
                );
            }
            drop(sender);
            stop.cancel();
            let sent = senders.join_all().await;
            let sent = sent.iter().filter(|sent| **sent).count();
            let ended = working.await.expect("no panic");
            assert_eq!(all(&ended).len(), sent);
        }
    }
}
