//! Wrong: an iterator and a receiver aren't streams.

use futures::StreamExt;
use tokio::sync::mpsc;

async fn reading(station: u32) -> u32 {
    15 + station
}

#[tokio::main]
async fn main() {
    let calls = (1..=3).map(reading).buffered(2);
    let (_readings, mut inbox) = mpsc::channel::<u32>(8);
    println!("{:?}", inbox.next().await);
}
