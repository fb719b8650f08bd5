//! Write what `#[tokio::main]` generates: a sync `main` that creates a runtime and blocks on a future.
use std::io;
use tokio::runtime::Runtime;

async fn delay_of(train: u32) -> u32 {
    tokio::task::yield_now().await;
    train % 10
}

// ANCHOR: two
// With the attribute, this function would be called `main`.
async fn async_main() -> io::Result<()> {
    println!("train 17 is {} minutes late", delay_of(17).await);
    Ok(())
}

fn main() -> io::Result<()> {
    Runtime::new()?.block_on(async_main())
}
// ANCHOR_END: two
