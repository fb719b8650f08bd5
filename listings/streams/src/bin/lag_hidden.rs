//! Wrong: prices are missing, and there is no error.

use futures::{Stream, StreamExt};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

// ANCHOR: wrong
/// Wrong: the error says how many prices were missed, and `.ok()`
/// throws it away.
fn prices(
    receiver: broadcast::Receiver<u32>,
) -> impl Stream<Item = u32> {
    BroadcastStream::new(receiver)
        .filter_map(|price| std::future::ready(price.ok()))
}
// ANCHOR_END: wrong

/// Five prices, in a channel that keeps only two of them.
fn receiver() -> broadcast::Receiver<u32> {
    let (sender, receiver) = broadcast::channel(2);
    for price in 101..=105 {
        sender.send(price).expect("there is a receiver");
    }
    receiver
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let prices: Vec<_> = prices(receiver()).collect().await;
    println!("{prices:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn slow_receiver() {
        let prices: Vec<_> = prices(receiver()).collect().await;
        assert_eq!(prices, [104, 105]);
    }
}
