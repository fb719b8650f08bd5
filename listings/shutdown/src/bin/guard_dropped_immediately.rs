//! Wrong: the guard is dropped on the line that creates it.

// ANCHOR: wrong
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

/// Sends an export's rows while a task shows the progress.
async fn export() -> u32 {
    let stop = CancellationToken::new();
    let showing = tokio::spawn(show_progress(stop.clone()));
    // Wrong: `_` doesn't keep the guard, so this cancels immediately.
    let _ = stop.drop_guard();
    sleep(Duration::from_millis(450)).await;
    // The guard was meant to be dropped here.
    showing.await.expect("it does not panic")
}
// ANCHOR_END: wrong

/// Returns how often it showed the progress.
async fn show_progress(stop: CancellationToken) -> u32 {
    let mut shown = 0;
    while let Some(()) = stop
        .run_until_cancelled(sleep(Duration::from_millis(100)))
        .await
    {
        shown += 1;
    }
    shown
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("progress shown: {} times", export().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_the_task_runs_until_the_scope_ends() {
        // It doesn't.
        assert_eq!(export().await, 0);
    }
}
