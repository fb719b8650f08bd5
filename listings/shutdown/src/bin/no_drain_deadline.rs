//! Wrong: one task that ignores the stop signal blocks the whole shutdown.

// ANCHOR: wrong
use tokio::time::{Duration, sleep, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Stops two exports, one of which waits for a silent peer.
async fn stop() {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    tasks.spawn(stop.clone().cancelled_owned());
    tasks.spawn(std::future::pending::<()>());
    sleep(Duration::from_secs(1)).await;
    stop.cancel();
    tasks.close();
    // Wrong: it has no limit.
    tasks.wait().await;
}
// ANCHOR_END: wrong

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let hour = Duration::from_secs(60 * 60);
    let ended = timeout(hour, stop()).await.is_ok();
    println!("stopped within an hour: {ended}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_ends_with_the_grace_period() {
        // It does not.
        let ended = timeout(hazards::HOUR, stop()).await;
        assert!(ended.is_err());
    }
}
