//! A stream of shops, each of which is a stream of orders.

// ANCHOR: two_ways
use futures::{Stream, StreamExt, stream::BoxStream};

/// One shop after the other: the second waits for the first to end.
fn in_turn(
    shops: impl Stream<Item = BoxStream<'static, u32>>,
) -> impl Stream<Item = u32> {
    shops.flatten()
}

/// The orders of up to a hundred shops, as they come. While a hundred
/// are open, it takes no further one.
fn at_once(
    shops: impl Stream<Item = BoxStream<'static, u32>>,
) -> impl Stream<Item = u32> {
    shops.flatten_unordered(100)
}
// ANCHOR_END: two_ways

use futures::stream;
use tokio::time::{Duration, Instant, sleep};

/// Two shops, with two orders each: a slow one, and a quick one.
fn shops() -> impl Stream<Item = BoxStream<'static, u32>> {
    let shops = [(100, [1, 2]), (30, [11, 12])];
    stream::iter(shops).map(|(milliseconds, orders)| {
        let orders = stream::iter(orders);
        let orders = orders.then(move |order| async move {
            sleep(Duration::from_millis(milliseconds)).await;
            order
        });
        orders.boxed()
    })
}

/// The orders, and how long it took, in milliseconds.
async fn timed(orders: impl Stream<Item = u32>) -> (Vec<u32>, u128) {
    let start = Instant::now();
    let orders = orders.collect().await;
    (orders, start.elapsed().as_millis())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (orders, took) = timed(in_turn(shops())).await;
    println!("in turn: {orders:?}, {took} ms");
    let (orders, took) = timed(at_once(shops())).await;
    println!("at once: {orders:?}, {took} ms");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn in_turn_or_at_once() {
        let expected = (vec![1, 2, 11, 12], 260);
        assert_eq!(timed(in_turn(shops())).await, expected);
        let expected = (vec![11, 12, 1, 2], 200);
        assert_eq!(timed(at_once(shops())).await, expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_takes_no_more_shops_than_it_may() {
        let taken = std::cell::Cell::new(0);
        let shops = stream::iter(0..200).map(|_| {
            taken.set(taken.get() + 1);
            stream::pending::<u32>().boxed()
        });
        let mut orders = Box::pin(at_once(shops));
        assert!(futures::poll!(orders.next()).is_pending());
        assert_eq!(taken.get(), 100);
    }
}
