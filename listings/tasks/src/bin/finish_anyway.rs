//! A handler that is dropped, and the work in it that must be done.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

// ANCHOR: handlers
/// Runs in the handler's own future. When the client goes away, the
/// server drops it, between two of these lines.
async fn place_in_handler(order: u32) {
    println!("order {order}: paid");
    sleep(Duration::from_millis(100)).await;
    println!("order {order}: sent to the warehouse");
}

/// Runs in a task, which the handler only waits for. The tracker
/// knows it, so that a shutdown can wait for it, too.
async fn place_in_task(order: u32, tracker: &TaskTracker) {
    let task = tracker.spawn(place_in_handler(order));
    if let Err(error) = task.await {
        eprintln!("order {order}: {error}");
    }
}
// ANCHOR_END: handlers

/// A client that waits for 50 ms, and goes away then.
async fn impatient(handler: impl Future<Output = ()>) {
    let patience = Duration::from_millis(50);
    if timeout(patience, handler).await.is_err() {
        println!("the client has gone");
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let tracker = TaskTracker::new();
    impatient(place_in_handler(1)).await;
    impatient(place_in_task(2, &tracker)).await;

    // Shutdown: no more work, and wait for what is under way.
    tracker.close();
    tracker.wait().await;
    println!("all work has ended");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_tracker_waits_for_what_the_client_left() {
        let tracker = TaskTracker::new();
        impatient(place_in_task(2, &tracker)).await;
        assert_eq!(tracker.len(), 1);
        tracker.close();
        tracker.wait().await;
        assert!(tracker.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_is_done_on_many_threads() {
        let tracker = TaskTracker::new();
        drop(tracker.spawn(place_in_handler(3)));
        tracker.close();
        tracker.wait().await;
        assert!(tracker.is_empty());
    }
}
