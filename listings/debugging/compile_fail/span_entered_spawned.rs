//! Wrong: a task that keeps a span entered.

use tracing::{info, info_span};

// ANCHOR: wrong
async fn handle(number: u32) {
    let _entered = info_span!("request", number).entered();
    tokio::task::yield_now().await;
    info!("is answered");
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    tokio::spawn(handle(1)).await.ok();
}
