//! Wrong: sleeping five seconds to let tasks finish.

// ANCHOR: wrong
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::time::{Duration, Instant, sleep};

/// Sends ten receipts, each of which takes `each`. Returns how many
/// were sent, and how long the shutdown took.
async fn stop(each: Duration) -> (u32, Duration) {
    let start = Instant::now();
    let sent = Arc::new(AtomicU32::new(0));
    for _ in 0..10 {
        let sent = Arc::clone(&sent);
        tokio::spawn(async move {
            sleep(each).await;
            sent.fetch_add(1, Ordering::Relaxed);
        });
    }
    // Wrong: too long for fast receipts, too short for slow ones.
    sleep(Duration::from_secs(5)).await;
    (sent.load(Ordering::Relaxed), start.elapsed())
}
// ANCHOR_END: wrong

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
    async fn slow_receipts_are_sent() {
        let five = Duration::from_secs(5);
        assert_eq!(stop(Duration::from_millis(100)).await, (10, five));
        // They are not.
        assert_eq!(stop(Duration::from_secs(6)).await, (0, five));
    }
}
