//! Wrong: a paused clock with more than one thread.

use tokio::time::{Duration, sleep};

#[tokio::main(flavor = "multi_thread", start_paused = true)]
async fn main() {
    sleep(Duration::from_secs(3600)).await;
}
