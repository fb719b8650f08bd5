//! A guard cancels where its scope ends, however that comes about.

// ANCHOR: export
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

/// Sends an export's rows, with a task that shows its progress.
async fn export() -> u32 {
    let stop = CancellationToken::new();
    let showing = tokio::spawn(show_progress(stop.clone()));
    {
        // A name keeps it. It cancels at the end of the block, at a
        // `?` in it, at a panic, and when this future is dropped.
        let _guard = stop.drop_guard();
        sleep(Duration::from_millis(450)).await;
    }
    showing.await.expect("it does not panic")
}
// ANCHOR_END: export

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
    async fn it_is_shown_to_the_end() {
        assert_eq!(export().await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_future_that_is_dropped_cancels() {
        let stop = CancellationToken::new();
        let guarded = async {
            let _guard = stop.clone().drop_guard();
            sleep(Duration::from_secs(60)).await;
        };
        let limit = Duration::from_secs(1);
        assert!(tokio::time::timeout(limit, guarded).await.is_err());
        assert!(stop.is_cancelled());
    }
}
