//! Wrong: the guard is dropped in the line that makes it.

// ANCHOR: wrong
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

/// Sends an export's rows, with a task that shows its progress.
async fn export() -> u32 {
    let stop = CancellationToken::new();
    let showing = tokio::spawn(show_progress(stop.clone()));
    // Wrong: `_` keeps nothing. This cancels, here and now.
    let _ = stop.drop_guard();
    sleep(Duration::from_millis(450)).await;
    // The function ends here, and with it the guard, one hopes.
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
    async fn nothing_is_shown() {
        assert_eq!(export().await, 0);
    }
}
