//! What closing a tracker does and doesn't do.

// ANCHOR: close
use tokio::time::{Duration, Instant, sleep};
use tokio_util::task::TaskTracker;

/// Spawns a task of one second, and after the close a second task, of
/// three seconds.
async fn close() -> (Duration, bool) {
    let start = Instant::now();
    let tasks = TaskTracker::new();
    tasks.spawn(sleep(Duration::from_secs(1)));
    tasks.close();
    // A closed tracker accepts it, and `wait` waits for it.
    tasks.spawn(sleep(Duration::from_secs(3)));
    tasks.wait().await;
    let waited = start.elapsed();

    let export = tasks.spawn(sleep(Duration::from_secs(9)));
    // Dropping doesn't abort it: a tracker counts tasks, but owns none.
    drop(tasks);
    let finished = export.await.is_ok();
    (waited, finished)
}
// ANCHOR_END: close

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (waited, finished) = close().await;
    println!("waited {waited:?} for both");
    println!("finished without its tracker: {finished}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_nothing_and_aborts_nothing() {
        assert_eq!(close().await, (Duration::from_secs(3), true));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_wait_returns_without_a_task() {
        let tasks = TaskTracker::new();
        tasks.close();
        hazards::within(hazards::HOUR, tasks.wait()).await;
    }
}
