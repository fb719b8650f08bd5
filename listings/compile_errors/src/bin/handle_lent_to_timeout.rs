//! Lend the handle to `timeout`, and it's still yours after the timeout.

use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::{sleep, timeout};

// ANCHOR: main
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    let mut tour = tokio::spawn(sleep(Duration::from_secs(60)));
    let limit = Duration::from_secs(1);
    if let Ok(ended) = timeout(limit, &mut tour).await {
        return ended;
    }
    tour.abort();
    match tour.await {
        Err(error) if error.is_cancelled() => {
            println!("stopped");
            Ok(())
        }
        ended => ended,
    }
}
// ANCHOR_END: main
