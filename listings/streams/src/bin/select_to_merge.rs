//! Streams of different types, with a `select!` branch for each.

// ANCHOR: ship
use std::pin::pin;

use futures::{Stream, StreamExt};
use tokio::task::coop::cooperative;
use tokio_util::sync::CancellationToken;

/// Ships orders at the newest price, from the first price on. Returns
/// why it ended.
async fn ship(
    orders: impl Stream<Item = u32>,
    prices: impl Stream<Item = Cents>,
    stop: CancellationToken,
    mut ship: impl FnMut(u32, Cents),
) -> Ended {
    let (mut orders, mut prices) = (pin!(orders), pin!(prices));
    let mut price = None;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ended::Stopped,
            newest = cooperative(prices.next()) => match newest {
                Some(newest) => price = Some(newest),
                None => return Ended::NoMorePrices,
            },
            order = cooperative(orders.next()), if price.is_some() => {
                let (Some(order), Some(price)) = (order, price) else {
                    return Ended::NoMoreOrders;
                };
                ship(order, price);
            }
        }
    }
}

#[derive(Debug, PartialEq)]
enum Ended {
    Stopped,
    NoMoreOrders,
    NoMorePrices,
}
// ANCHOR_END: ship

#[derive(Clone, Copy, Debug, PartialEq)]
struct Cents(u32);

use futures::stream;
use tokio::time::{Duration, sleep};

/// An item every so many milliseconds.
fn every<T>(milliseconds: u64, items: Vec<T>) -> impl Stream<Item = T> {
    stream::iter(items).then(move |item| async move {
        sleep(Duration::from_millis(milliseconds)).await;
        item
    })
}

fn orders() -> impl Stream<Item = u32> {
    every(100, vec![1, 2, 3, 4])
}

fn prices() -> impl Stream<Item = Cents> {
    every(250, vec![Cents(250), Cents(350)])
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let print = |order, Cents(price)| {
        println!("order {order} for {price}");
    };
    let stop = CancellationToken::new();
    let prices = prices().chain(stream::pending());
    println!("{:?}", ship(orders(), prices, stop, print).await);
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_it_ends_with_the_first_that_ends() {
        let mut shipped = Vec::new();
        let keep = |order, price| shipped.push((order, price));
        let stop = CancellationToken::new();
        let ended = ship(orders(), prices(), stop, keep).await;
        assert_eq!(ended, Ended::NoMorePrices);
        let price = Cents(250);
        assert_eq!(shipped, [(1, price), (2, price)]);

        let stop = CancellationToken::new();
        let prices = prices().chain(stream::pending());
        let none = stream::empty();
        let ended = ship(none, prices, stop, |_, _| ()).await;
        assert_eq!(ended, Ended::NoMoreOrders);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_both_ends_by_the_stop() {
        let stop = CancellationToken::new();
        let later = async {
            sleep(HOUR / 2).await;
            stop.cancel();
        };
        let (orders, prices) = (stream::pending(), stream::pending());
        let shipping = ship(orders, prices, stop.clone(), |_, _| ());
        let both = async { tokio::join!(shipping, later).0 };
        assert_eq!(within(HOUR, both).await, Ended::Stopped);
    }

    /// The guard keeps `ship` from polling the orders.
    #[tokio::test(start_paused = true)]
    async fn silence_of_the_prices_hides_the_end_of_the_orders() {
        let stop = CancellationToken::new();
        let (orders, prices) = (stream::empty(), stream::pending());
        let shipping = ship(orders, prices, stop, |_, _| ());
        assert!(tokio::time::timeout(HOUR, shipping).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn stop_comes_first_at_every_moment() {
        for after in 0..30 {
            let stop = CancellationToken::new();
            let later = async {
                sleep(Duration::from_millis(20 * after)).await;
                stop.cancel();
            };
            let prices = prices().chain(stream::pending());
            let orders = orders().chain(stream::pending());
            let ships = ship(orders, prices, stop.clone(), |_, _| ());
            let (ended, ()) = tokio::join!(ships, later);
            assert_eq!(ended, Ended::Stopped);
        }
    }

    #[tokio::test]
    async fn overload_of_both_leaves_the_stop_a_turn() {
        for busy in [true, false] {
            let orders = stream::repeat(1);
            let prices = match busy {
                true => stream::repeat(Cents(1)).boxed(),
                false => stream::iter([Cents(1)])
                    .chain(stream::pending())
                    .boxed(),
            };
            let stop = CancellationToken::new();
            // Prices that are always ready starve the orders.
            let check = move |_, _| assert!(!busy);
            let ships = ship(orders, prices, stop.clone(), check);
            let ships = tokio::spawn(ships);
            tokio::task::yield_now().await;
            stop.cancel();
            let ended = within(HOUR, ships).await;
            assert_eq!(ended.expect("no panic"), Ended::Stopped);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_ships_nothing_twice() {
        at_every_poll(async |cancel| {
            let mut shipped = Vec::new();
            let keep = |order, _| shipped.push(order);
            let stop = CancellationToken::new();
            let prices = prices().chain(stream::pending());
            let shipping = ship(orders(), prices, stop, keep);
            let complete = cancel.run(shipping).await.is_some();
            assert_eq!(shipped, [1, 2, 3, 4][..shipped.len()]);
            assert!(!complete || shipped.len() == 4);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_can_be_spawned() {
        let stop = CancellationToken::new();
        let prices = stream::iter([Cents(1)]).chain(stream::pending());
        let orders = stream::iter(0..100);
        let ships = ship(orders, prices, stop, |_, _| ());
        let ended = tokio::spawn(ships).await;
        assert_eq!(ended.expect("no panic"), Ended::NoMoreOrders);
    }
}
