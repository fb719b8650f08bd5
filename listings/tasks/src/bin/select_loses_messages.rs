//! Wrong: a tick wins, and the order that was taken is gone.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{interval, sleep},
};

// ANCHOR: wrong
/// Takes two orders, which are packed together.
async fn next_pair(orders: &mut mpsc::Receiver<u32>) -> Option<Pair> {
    let first = orders.recv().await?;
    let second = orders.recv().await?;
    Some((first, second))
}

/// Wrong: each `recv` is cancel safe, and two of them are not. When
/// the tick wins between them, the first order is dropped with the
/// future that holds it.
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

type Pair = (u32, u32);

/// Orders that come in one by one, 15 ms apart.
fn orders() -> mpsc::Receiver<u32> {
    let (sender, orders) = mpsc::channel(8);
    tokio::spawn(async move {
        for order in 1..=6 {
            sleep(Duration::from_millis(15)).await;
            // Who has no use for orders any more drops the receiver.
            if sender.send(order).await.is_err() {
                return;
            }
        }
    });
    orders
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (pairs, ticks) = pack_all(orders()).await;
    println!("came:   [1, 2, 3, 4, 5, 6]");
    println!("packed: {pairs:?}, between {ticks} ticks");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn most_orders_are_gone() {
        let (pairs, _) = pack_all(orders()).await;
        assert!(pairs.len() < 3, "{pairs:?}");
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
