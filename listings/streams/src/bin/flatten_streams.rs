//! A stream of shops, each of which is a stream of orders.

// ANCHOR: two_ways
use futures::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use tokio::time::{Duration, timeout};

const MINUTE: Duration = Duration::from_secs(60);

/// One shop after another: the second waits until the first ends.
fn in_turn(
    shops: impl Stream<Item = BoxStream<'static, u32>>,
) -> impl Stream<Item = u32> {
    shops.flatten()
}

/// The orders of up to a hundred shops, as they arrive. While a hundred
/// are open, it opens no others, so no shop may stay silent forever:
/// after a minute without an order, an error is the shop's last item.
///
/// The minute also runs while the reader is busy with an order.
fn concurrently(
    shops: impl Stream<Item = BoxStream<'static, u32>>,
) -> impl Stream<Item = Result<u32, Silent>> {
    let until_silent = |(number, shop): (_, BoxStream<'static, _>)| {
        let next = move |mut shop: BoxStream<'static, _>| async move {
            let order = timeout(MINUTE, shop.next()).await;
            let order = order.map_err(|_elapsed| Silent(number))?;
            Ok(order.map(|order| (order, shop)))
        };
        stream::try_unfold(shop, next).boxed()
    };
    shops.enumerate().map(until_silent).flatten_unordered(100)
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("shop {0}: no order for a minute")]
struct Silent(usize);
// ANCHOR_END: two_ways

use tokio::time::{Instant, sleep};

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
async fn timed<T>(orders: impl Stream<Item = T>) -> (Vec<T>, u128) {
    let start = Instant::now();
    let orders = orders.collect().await;
    (orders, start.elapsed().as_millis())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (orders, took) = timed(in_turn(shops())).await;
    println!("one after another: {orders:?}, {took} ms");
    let (orders, took) = timed(concurrently(shops())).await;
    println!("concurrently:      {orders:?}, {took} ms");
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_after_another_or_concurrently() {
        let expected = (vec![1, 2, 11, 12], 260);
        assert_eq!(timed(in_turn(shops())).await, expected);
        let expected = (vec![Ok(11), Ok(12), Ok(1), Ok(2)], 200);
        assert_eq!(timed(concurrently(shops())).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_opens_no_more_shops_than_it_may() {
        let opened = Cell::new(0);
        let shops = stream::iter(0..201).map(|_| {
            opened.set(opened.get() + 1);
            stream::pending::<u32>().boxed()
        });
        let mut orders = Box::pin(concurrently(shops));
        assert!(futures::poll!(orders.next()).is_pending());
        assert_eq!(opened.get(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_more_shops_than_places() {
        let silent = (0..201).map(|_| stream::pending().boxed());
        let last = stream::iter([7]).boxed();
        let shops = stream::iter(silent.chain([last]));
        let orders = concurrently(shops).collect::<Vec<_>>();
        let seen = within(HOUR, orders).await;
        assert_eq!(seen.len(), 202);
        assert!(seen.contains(&Ok(7)));
        for shop in 0..201 {
            assert!(seen.contains(&Err(Silent(shop))), "{shop}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reader_gets_every_order() {
        let mut orders = Box::pin(concurrently(shops()));
        let mut seen = Vec::new();
        while let Some(order) = within(HOUR, orders.next()).await {
            seen.push(order);
            sleep(2 * MINUTE).await;
        }
        assert_eq!(seen.len(), 4);
        assert!(seen.iter().all(Result::is_ok), "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_loses_no_order() {
        at_every_poll(async |cancel| {
            let mut orders = Box::pin(concurrently(shops()));
            let first = cancel.run(orders.next()).await.flatten();
            let mut seen: Vec<_> = first.into_iter().collect();
            seen.extend(orders.collect::<Vec<_>>().await);
            seen.sort_unstable_by_key(|order| {
                order.as_ref().ok().copied()
            });
            assert_eq!(seen, [Ok(1), Ok(2), Ok(11), Ok(12)]);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_no_shop() {
        assert_eq!(concurrently(stream::empty()).count().await, 0);
    }
}
