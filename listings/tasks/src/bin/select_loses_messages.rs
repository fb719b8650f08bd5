//! Wrong: a tick wins, and the order that was received is lost.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{interval, sleep},
};

// ANCHOR: wrong
/// Takes two orders that are packed together.
async fn next_pair(orders: &mut mpsc::Receiver<u32>) -> Option<Pair> {
    let first = orders.recv().await?;
    // `None` if the queue is closed: the last order has no partner.
    let second = orders.recv().await;
    Some((first, second))
}

/// Wrong: `recv` is cancel safe, but a function that awaits it twice
/// isn't. When the tick wins between the two, the first order is
/// dropped with the future that holds it.
async fn pack_all(mut orders: mpsc::Receiver<u32>) -> (Vec<Pair>, u32) {
    let mut tick = interval(Duration::from_millis(22));
    let (mut pairs, mut ticks) = (Vec::new(), 0);
    loop {
        tokio::select! {
            biased;
            pair = next_pair(&mut orders) => match pair {
                Some(pair) => pairs.push(pair),
                None => return (pairs, ticks),
            },
            _ = tick.tick() => ticks += 1,
        }
    }
}
// ANCHOR_END: wrong

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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_by_a_tick_loses_no_order() {
        let (pairs, _) = pack_all(orders()).await;
        // The mistake: it does.
        assert_ne!(orders_in(&pairs), "1 2 3 4 5 6 7");
        assert!(pairs.len() < 4, "{pairs:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dropped_pair_takes_its_order_along() {
        let (sender, mut orders) = mpsc::channel(8);
        sender.send(1).await.expect("it is received");
        let mut pair = Box::pin(next_pair(&mut orders));
        assert!(futures::poll!(pair.as_mut()).is_pending());
        drop(pair);
        sender.send(2).await.expect("it is received");
        assert_eq!(orders.recv().await, Some(2));
    }
}
