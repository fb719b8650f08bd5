//! Lend the handle to `timeout`, and it's still yours after the timeout.

use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::{sleep, timeout};

// ANCHOR: main
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    let mut tour = tokio::spawn(sleep(Duration::from_secs(60)));
    let limit = Duration::from_secs(1);
    if timeout(limit, &mut tour).await.is_err() {
        tour.abort();
        let stopped = tour.await.is_err_and(|e| e.is_cancelled());
        println!("stopped: {stopped}");
    }
    Ok(())
}
// ANCHOR_END: main
