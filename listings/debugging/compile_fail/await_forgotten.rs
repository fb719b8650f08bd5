//! Wrong: the same mistake twice, a future that isn't awaited.

use std::io;

// ANCHOR: wrong
async fn total() -> io::Result<u32> {
    let cents = price()?;
    let rebate = rebate().saturating_mul(2);
    Ok(cents.saturating_sub(rebate))
}
// ANCHOR_END: wrong

async fn price() -> io::Result<u32> {
    Ok(1250)
}

async fn rebate() -> u32 {
    200
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("{:?}", total().await.ok());
}
