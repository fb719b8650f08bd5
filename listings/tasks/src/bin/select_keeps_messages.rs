//! Create the future once, and borrow it in the branch.

use std::{pin::pin, time::Duration};

use tokio::{
    sync::mpsc,
    time::{interval, sleep},
};

// ANCHOR: pack_all
/// Takes two orders that are packed together.
async fn next_pair(orders: &mut mpsc::Receiver<u32>) -> Option<Pair> {
    let first = orders.recv().await?;
    // `None` if the queue is closed: the last order has no partner.
    let second = orders.recv().await;
    Some((first, second))
}

/// Packs all orders. A single future packs them all, and `select!`
/// only borrows that future, so a tick doesn't drop it.
///
/// Dropping `pack_all` itself drops that future, its pairs, and an
/// order that is waiting for its partner.
async fn pack_all(mut orders: mpsc::Receiver<u32>) -> (Vec<Pair>, u32) {
    let mut tick = interval(Duration::from_millis(22));
    let mut ticks = 0;
    let mut pack = pin!(async {
        let mut pairs = Vec::new();
        while let Some(pair) = next_pair(&mut orders).await {
            pairs.push(pair);
        }
        pairs
    });
    loop {
        tokio::select! {
            biased;
            // Ticks come first so that many orders can't starve them.
            _ = tick.tick() => ticks += 1,
            pairs = &mut pack => return (pairs, ticks),
        }
    }
}
// ANCHOR_END: pack_all

type Pair = (u32, Option<u32>);

/// Orders that arrive one by one, 15 ms apart.
fn orders() -> mpsc::Receiver<u32> {
    let (sender, orders) = mpsc::channel(8);
    tokio::spawn(async move {
        for order in 1..=7 {
            sleep(Duration::from_millis(15)).await;
            // No more orders are packed: the receiver is dropped.
            if sender.send(order).await.is_err() {
                return;
            }
        }
    });
    orders
}

fn orders_in(pairs: &[Pair]) -> String {
    let orders = pairs.iter().flat_map(|it| [Some(it.0), it.1]);
    let orders = orders.flatten().map(|order| order.to_string());
    orders.collect::<Vec<_>>().join(" ")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (pairs, ticks) = pack_all(orders()).await;
    println!("came:   1 2 3 4 5 6 7");
    println!("packed: {}, between {ticks} ticks", orders_in(&pairs));
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_by_a_tick_loses_no_order() {
        let (pairs, ticks) = pack_all(orders()).await;
        assert_eq!(orders_in(&pairs), "1 2 3 4 5 6 7");
        assert!(ticks > 3);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_an_odd_number_of_orders_and_none() {
        for count in (0..5).cycle().take(50) {
            let (sender, orders) = mpsc::channel(8);
            for order in 0..count {
                sender.try_send(order).expect("there is room");
            }
            drop(sender);
            let (pairs, ticks) = within(HOUR, pack_all(orders)).await;
            assert_eq!(ticks, 1); // An interval's first tick is ready.
            let packed = pairs.iter().flat_map(|it| [Some(it.0), it.1]);
            assert!(packed.flatten().eq(0..count));
        }
    }

    /// A queue that is never empty: `pack` uses up the task's budget
    /// in every poll.
    #[tokio::test(start_paused = true)]
    async fn overload_of_orders_starves_no_tick() {
        let (sender, orders) = mpsc::channel(10_000);
        for order in 0..10_000 {
            sender.try_send(order).expect("there is room");
        }
        drop(sender);
        let time_passes = tokio::spawn(async {
            loop {
                tokio::time::advance(Duration::from_millis(22)).await;
            }
        });
        let (pairs, ticks) = pack_all(orders).await;
        time_passes.abort();
        assert_eq!(pairs.len(), 5000);
        assert!(ticks > 30, "{ticks}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_between_two_orders_loses_neither() {
        let (sender, orders) = mpsc::channel(8);
        let packed = tokio::spawn(pack_all(orders));
        for order in 1..=2 {
            sender.send(order).await.expect("it is taken");
            sleep(HOUR).await;
        }
        drop(sender);
        let (pairs, _) = packed.await.expect("no panic");
        assert_eq!(pairs, [(1, Some(2))]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_every_order_is_packed() {
        let (pairs, _) = pack_all(orders()).await;
        assert_eq!(orders_in(&pairs), "1 2 3 4 5 6 7");
    }
}
