//! Streams of different kinds, each with its own arm.

// ANCHOR: ship
use std::pin::pin;

use futures::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;

/// Works on both until one of them ends, or until it is told to stop.
async fn ship(
    orders: impl Stream<Item = u32>,
    prices: impl Stream<Item = f64>,
    stop: CancellationToken,
) -> Vec<String> {
    let (mut orders, mut prices) = (pin!(orders), pin!(prices));
    let mut price = 1.0;
    let mut shipped = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return shipped,
            new_price = prices.next() => match new_price {
                Some(new_price) => price = new_price,
                None => return shipped,
            },
            order = orders.next() => match order {
                Some(order) => {
                    shipped.push(format!("{order} for {price}"));
                }
                None => return shipped,
            },
        }
    }
}
// ANCHOR_END: ship

use futures::stream;
use tokio::time::{Duration, sleep};

/// One item each so many milliseconds.
fn each<T>(milliseconds: u64, items: Vec<T>) -> impl Stream<Item = T> {
    stream::iter(items).then(move |item| async move {
        sleep(Duration::from_millis(milliseconds)).await;
        item
    })
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let orders = each(100, vec![1, 2, 3, 4]);
    let prices = each(250, vec![2.5, 3.5]);
    let stop = CancellationToken::new();
    println!("{:?}", ship(orders, prices, stop).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_first_that_ends() {
        let orders = each(100, vec![1, 2, 3, 4]);
        let prices = each(250, vec![2.5, 3.5]);
        let shipped =
            ship(orders, prices, CancellationToken::new()).await;
        assert_eq!(
            shipped,
            ["1 for 1", "2 for 1", "3 for 2.5", "4 for 2.5"]
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_stop_comes_first() {
        let stop = CancellationToken::new();
        stop.cancel();
        let orders = stream::iter([1, 2]);
        let shipped = ship(orders, stream::pending(), stop).await;
        assert!(shipped.is_empty());
    }
}
