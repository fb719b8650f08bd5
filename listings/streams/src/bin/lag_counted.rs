//! The number of missed prices is an item too.

use futures::{Stream, StreamExt};
use tokio::sync::broadcast;
use tokio_stream::wrappers::{
    BroadcastStream, errors::BroadcastStreamRecvError,
};

// ANCHOR: counted
#[derive(Debug, PartialEq)]
enum Update {
    Price(u32),
    /// This many were missed: read the current price elsewhere.
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
    use std::pin::pin;

    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn slow_receiver() {
        let prices: Vec<_> = prices(receiver()).collect().await;
        let expected =
            [Update::Missed(3), Update::Price(104), Update::Price(105)];
        assert_eq!(prices, expected);
    }

    /// Received and missed prices add up to those that were sent.
    fn count(updates: &[Update]) -> u64 {
        let one = |update: &Update| match update {
            Update::Price(_) => 1,
            Update::Missed(missed) => *missed,
        };
        updates.iter().map(one).sum()
    }

    #[tokio::test]
    async fn overload_counts_every_price() {
        for pause_after in 1..20 {
            let (sender, receiver) = broadcast::channel(2);
            let mut prices = pin!(prices(receiver));
            let mut seen = Vec::new();
            for price in 0..100 {
                sender.send(price).expect("there is a receiver");
                if price % pause_after == 0 {
                    seen.extend(prices.next().await);
                }
            }
            drop(sender);
            seen.extend(prices.collect::<Vec<_>>().await);
            assert_eq!(count(&seen), 100);
        }
    }

    #[tokio::test]
    async fn cancel_of_next_loses_no_price() {
        at_every_poll(async |cancel| {
            let mut prices = pin!(prices(receiver()));
            let first = cancel.run(prices.next()).await.flatten();
            let mut seen: Vec<_> = first.into_iter().collect();
            seen.extend(prices.collect::<Vec<_>>().await);
            assert_eq!(count(&seen), 5);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_price() {
        let (sender, receiver) = broadcast::channel(1);
        drop(sender);
        let none = within(HOUR, prices(receiver).count()).await;
        assert_eq!(none, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_count_every_price() {
        let (sender, receiver) = broadcast::channel(4);
        let reading = tokio::spawn(async move {
            count(&prices(receiver).collect::<Vec<_>>().await)
        });
        for price in 0..10_000 {
            sender.send(price).expect("there is a receiver");
        }
        drop(sender);
        assert_eq!(reading.await.expect("no panic"), 10_000);
    }
}
