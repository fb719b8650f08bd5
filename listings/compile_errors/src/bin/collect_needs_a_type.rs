//! Say which collection `collect` builds, and what a channel carries.

use std::num::ParseIntError;

use futures::{StreamExt, future::join_all, stream};
use tokio::sync::mpsc;

// ANCHOR: main
async fn quote(parcel: u32) -> u32 {
    12 * parcel
}

async fn read(text: &str) -> Result<u32, ParseIntError> {
    text.parse()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ParseIntError> {
    let parcels = stream::iter(1..=3);
    let quotes: Vec<_> = parcels.map(quote).buffered(2).collect().await;
    println!("{quotes:?}");

    let read = join_all(["7", "9"].map(read)).await;
    let sizes = read.into_iter().collect::<Result<Vec<_>, _>>()?;
    println!("{sizes:?}");

    let (orders, mut inbox) = mpsc::channel::<u32>(8);
    drop(orders);
    println!("{:?}", inbox.recv().await);
    Ok(())
}
// ANCHOR_END: main
