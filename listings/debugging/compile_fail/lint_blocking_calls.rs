//! Wrong: a blocking call that is on Clippy's list.
#![deny(clippy::disallowed_methods)]

use std::time::Duration;

// ANCHOR: wrong
// clippy.toml: disallowed-methods = ["std::thread::sleep"]

async fn retry() {
    std::thread::sleep(Duration::from_millis(100));
    ask().await;
}
// ANCHOR_END: wrong

async fn ask() {
    tokio::task::yield_now().await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    retry().await;
}
