//! A tracker waits for all tasks, and no longer.

// ANCHOR: stop
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::time::{Duration, Instant, sleep};
use tokio_util::task::TaskTracker;

/// Ten receipts, each of which takes so long to send. Returns how many
/// were sent by the end, and how long the end took.
async fn stop(each: Duration) -> (u32, Duration) {
    let start = Instant::now();
    let sent = Arc::new(AtomicU32::new(0));
    let tasks = TaskTracker::new();
    for _ in 0..10 {
        let sent = Arc::clone(&sent);
        tasks.spawn(async move {
            sleep(each).await;
            sent.fetch_add(1, Ordering::Relaxed);
        });
    }
    tasks.close();
    tasks.wait().await;
    (sent.load(Ordering::Relaxed), start.elapsed())
}
// ANCHOR_END: stop

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for millis in [100, 6000] {
        let (sent, took) = stop(Duration::from_millis(millis)).await;
        println!("{millis} ms each: {sent} of 10 sent in {took:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn exactly_as_long_as_it_takes() {
        for each in [Duration::from_millis(100), Duration::from_secs(6)]
        {
            assert_eq!(stop(each).await, (10, each));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_panics_is_waited_for_as_well() {
        let tasks = TaskTracker::new();
        let broken = tasks.spawn(async {
            sleep(Duration::from_secs(1)).await;
            std::panic::resume_unwind(Box::new("broken"));
        });
        tasks.close();
        tasks.wait().await;
        assert!(broken.is_finished());
    }
}
