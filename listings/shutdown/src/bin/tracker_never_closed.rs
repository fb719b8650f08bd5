//! Wrong: a tracker that is not closed never comes to an end.

// ANCHOR: wrong
use tokio::time::{Duration, sleep, timeout};
use tokio_util::task::TaskTracker;

/// Whether all tasks are seen to have ended within an hour.
async fn all_ended() -> bool {
    let tasks = TaskTracker::new();
    tasks.spawn(sleep(Duration::from_secs(1)));
    // Wrong: there might be more to come, so it goes on waiting.
    let hour = Duration::from_secs(60 * 60);
    timeout(hour, tasks.wait()).await.is_ok()
}
// ANCHOR_END: wrong

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("ended within an hour: {}", all_ended().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_waits_for_ever() {
        assert!(!all_ended().await);
    }
}
