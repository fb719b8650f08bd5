//! Wrong: `wait` never returns on a tracker that isn't closed.

// ANCHOR: wrong
use tokio::time::{Duration, sleep, timeout};
use tokio_util::task::TaskTracker;

/// Returns whether `wait` returns within an hour.
async fn all_ended() -> bool {
    let tasks = TaskTracker::new();
    tasks.spawn(sleep(Duration::from_secs(1)));
    // Wrong: more tasks could be spawned, so `wait` keeps waiting.
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
    async fn edges_wait_returns_without_a_task() {
        // It does not.
        assert!(!all_ended().await);
    }
}
