//! The handle is dropped, but its task keeps running.

use std::time::Duration;

use tokio::time::sleep;

// ANCHOR: update
/// Starts an update of the index, and does not wait for it.
///
/// The handle is dropped at the end of this function. The task keeps
/// running, and nothing can wait for it, stop it, or see how it ended.
fn update_index() {
    let handle = tokio::spawn(async {
        sleep(Duration::from_millis(100)).await;
        println!("the index is updated");
    });
    drop(handle);
}
// ANCHOR_END: update

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    update_index();
    println!("the handle is dropped");
    sleep(Duration::from_millis(200)).await;

    update_index();
    sleep(Duration::from_millis(50)).await;
    println!("main ends, and the second update with it");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{sync::Notify, time::timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_goes_on_without_its_handle() {
        let done = Arc::new(Notify::new());
        let notify = Arc::clone(&done);
        drop(tokio::spawn(async move { notify.notify_one() }));
        let hour = Duration::from_secs(3600);
        assert!(timeout(hour, done.notified()).await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_task_goes_on_on_many_threads() {
        let done = Arc::new(Notify::new());
        let notify = Arc::clone(&done);
        drop(tokio::spawn(async move { notify.notify_one() }));
        done.notified().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_goes_on_without_its_tracker_or_abort_handle() {
        let done = Arc::new(Notify::new());
        let notify = Arc::clone(&done);
        let tracker = tokio_util::task::TaskTracker::new();
        let task = tracker.spawn(async move {
            sleep(Duration::from_secs(1)).await;
            notify.notify_one();
        });
        drop((task.abort_handle(), task, tracker));
        let hour = Duration::from_secs(3600);
        assert!(timeout(hour, done.notified()).await.is_ok());
    }
}
