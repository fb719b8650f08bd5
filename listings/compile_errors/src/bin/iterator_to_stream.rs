//! Make a stream from an iterator or a receiver before you call a stream's method.

use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

// ANCHOR: main
async fn reading(station: u32) -> u32 {
    15 + station
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let calls = stream::iter(1..=3).map(reading);
    println!("{:?}", calls.buffered(2).collect::<Vec<_>>().await);

    let (readings, inbox) = mpsc::channel(8);
    readings.send(21).await.ok();
    let mut inbox = ReceiverStream::new(inbox);
    println!("{:?}", inbox.next().await);
}
// ANCHOR_END: main
