//! What was missed is an item too.

use futures::{Stream, StreamExt};
use tokio::sync::broadcast;
use tokio_stream::wrappers::{
    BroadcastStream, errors::BroadcastStreamRecvError,
};

// ANCHOR: counted
#[derive(Debug, PartialEq)]
enum Update {
    Price(u32),
    /// So many were missed: read them from the database.
    Missed(u64),
}

fn prices(
    receiver: broadcast::Receiver<u32>,
) -> impl Stream<Item = Update> {
    BroadcastStream::new(receiver).map(|price| match price {
        Ok(price) => Update::Price(price),
        Err(BroadcastStreamRecvError::Lagged(missed)) => {
            Update::Missed(missed)
        }
    })
}
// ANCHOR_END: counted

/// Five prices, for a receiver that keeps two of them.
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
    async fn it_says_that_three_are_missing() {
        let prices: Vec<_> = prices(receiver()).collect().await;
        let expected =
            [Update::Missed(3), Update::Price(104), Update::Price(105)];
        assert_eq!(prices, expected);
    }
}
