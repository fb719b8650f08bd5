//! An async function, an async block, and an async closure do the same.

use std::time::Duration;
use tokio::time::sleep;

// ANCHOR: main
async fn price(book: &str) -> u32 {
    sleep(Duration::from_millis(10)).await;
    book.len() as u32
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let from_function = price("Dune").await;
    let block = async { price("Emma").await };
    let closure = async |book: &str| price(book).await;
    println!("{from_function} {} {}", block.await, closure("Ulysses").await);
}
// ANCHOR_END: main
