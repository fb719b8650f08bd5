//! Wrong: `retry` is called on a future, which can run only once.

use std::io;

use backon::{ExponentialBuilder, Retryable};

async fn price(item: &str) -> io::Result<u32> {
    println!("asking for the price of {item}");
    Ok(42)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let pauses = ExponentialBuilder::default();
    let found = price("tea").retry(pauses).await?;
    println!("the price is {found}");
    Ok(())
}
