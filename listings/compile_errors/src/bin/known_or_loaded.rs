//! Await a future only if there's no value yet.

use std::time::Duration;

use tokio::time::sleep;

// ANCHOR: main
async fn load() -> u32 {
    sleep(Duration::from_millis(10)).await;
    12
}

async fn price(known: Option<u32>) -> u32 {
    match known {
        Some(price) => price,
        None => load().await,
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("{}, {}", price(Some(30)).await, price(None).await);
}
// ANCHOR_END: main
