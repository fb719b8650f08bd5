//! Wrong: a spawned task runs an async closure that changes a local variable.

// ANCHOR: wrong
async fn retry(mut attempt: impl AsyncFnMut() -> bool) {
    while !attempt().await {}
}

async fn send() -> u32 {
    let mut attempts = 0;
    retry(async || {
        attempts += 1;
        attempts == 3
    })
    .await;
    attempts
}

#[tokio::main]
async fn main() {
    tokio::spawn(send()).await.ok();
}
// ANCHOR_END: wrong
