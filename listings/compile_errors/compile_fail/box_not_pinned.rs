//! Wrong: the timer and the boxed future aren't pinned.

use std::time::Duration;

use tokio::time::sleep;

async fn reading(station: u32) -> u32 {
    15 + station
}

#[tokio::main]
async fn main() {
    let mut pause = sleep(Duration::from_secs(60));
    (&mut pause).await;
    let plain: Box<dyn Future<Output = u32>> = Box::new(reading(2));
    println!("{}", plain.await);
}
