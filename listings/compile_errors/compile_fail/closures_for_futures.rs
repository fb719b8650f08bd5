//! Wrong: one function needs a future and gets a closure; the other needs a
//! closure that returns a future.

use futures::{StreamExt, stream};

async fn reading(station: u32) -> u32 {
    15 + station
}

#[tokio::main]
async fn main() {
    tokio::spawn(async || reading(1).await);
    let stations = stream::iter(1..=4);
    stations.for_each(|station| println!("{station}")).await;
}
