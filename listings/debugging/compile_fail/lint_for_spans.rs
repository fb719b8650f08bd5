//! Wrong: a guard whose type Clippy forbids is held across an await.
#![deny(clippy::await_holding_invalid_type)]

// ANCHOR: wrong
// clippy.toml: await-holding-invalid-types = ["tracing::span::EnteredSpan"]

async fn handle(number: u32) {
    let _entered = tracing::info_span!("request", number).entered();
    tokio::task::yield_now().await;
}
// ANCHOR_END: wrong

#[tokio::main(flavor = "current_thread")]
async fn main() {
    handle(1).await;
}
