//! Wrong: a future is polled by reference without being pinned.

use std::time::Duration;

use tokio::time::sleep;

async fn write_report() -> u32 {
    sleep(Duration::from_millis(10)).await;
    42
}

#[tokio::main]
async fn main() {
    let mut report = write_report();
    let lines = (&mut report).await;
    println!("{lines} lines");
}
