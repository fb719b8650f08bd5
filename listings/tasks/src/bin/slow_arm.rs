//! While an arm waits, no other branch is polled.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

// ANCHOR: two_ways
/// One loop for both queues. An arm that waits blocks the other queue.
async fn in_one_loop(mut mails: Queue, mut prints: Queue) {
    loop {
        tokio::select! {
            biased;
            Some(mail) = mails.recv() => handle(mail).await,
            Some(print) = prints.recv() => handle(print).await,
            else => return,
        }
    }
}

/// A loop for each queue, in the same task. Neither loop waits for the
/// other. A panic in one of them ends both.
async fn in_two_loops(mails: Queue, prints: Queue) {
    tokio::join!(handle_all(mails), handle_all(prints));
}

async fn handle_all(mut queue: Queue) {
    while let Some(job) = queue.recv().await {
        handle(job).await;
    }
}
// ANCHOR_END: two_ways

type Queue = mpsc::Receiver<u32>;

/// Takes a second, and only waits.
async fn handle(job: u32) {
    sleep(Duration::from_secs(1)).await;
    assert_ne!(job, 13, "job {job} is damaged");
}

/// A closed queue with three jobs.
fn queue() -> Queue {
    let (sender, queue) = mpsc::channel(3);
    for job in 1..=3 {
        sender.try_send(job).expect("there is room for three");
    }
    queue
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    in_one_loop(queue(), queue()).await;
    println!("in one loop:  {} s", start.elapsed().as_secs());

    let start = Instant::now();
    in_two_loops(queue(), queue()).await;
    println!("in two loops: {} s", start.elapsed().as_secs());
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};
    use tokio::time::timeout;

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn slow_arms_hold_up_one_loop_and_not_two() {
        let start = Instant::now();
        in_one_loop(queue(), queue()).await;
        assert_eq!(start.elapsed(), Duration::from_secs(6));
        let start = Instant::now();
        in_two_loops(queue(), queue()).await;
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_one_queue_does_not_hold_the_other() {
        let (_open, silent) = mpsc::channel(1);
        let (sender, mails) = mpsc::channel(1);
        let send = async {
            for mail in 0..5 {
                within(HOUR, sender.send(mail)).await.expect("taken");
            }
            drop(sender);
        };
        let work =
            async { tokio::join!(in_two_loops(mails, silent), send) };
        assert!(timeout(HOUR, work).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "job 13 is damaged")]
    async fn panic_in_one_ends_both() {
        let (sender, bad) = mpsc::channel(1);
        sender.try_send(13).expect("there is room");
        in_two_loops(bad, queue()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_nothing_running() {
        at_every_poll(async |cancel| {
            cancel.run(in_two_loops(queue(), queue())).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_two_closed_queues() {
        let closed = || mpsc::channel(1).1;
        within(HOUR, in_one_loop(closed(), closed())).await;
        within(HOUR, in_two_loops(closed(), closed())).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_every_job_is_handled() {
        let done = tokio::spawn(in_two_loops(queue(), queue()));
        done.await.expect("no panic");
    }
}
