//! Wrong: the handle is used after `timeout` has taken it.

use std::time::Duration;

use tokio::time::{sleep, timeout};

// ANCHOR: wrong
#[tokio::main]
async fn main() {
    let tour = tokio::spawn(sleep(Duration::from_secs(60)));
    let limit = Duration::from_secs(1);
    if timeout(limit, tour).await.is_err() {
        tour.abort();
    }
}
// ANCHOR_END: wrong
