//! The future outlives the branch: it is made once, and goes on.

use std::{pin::pin, time::Duration};

use tokio::{
    sync::mpsc,
    time::{interval, sleep},
};

// ANCHOR: pack_all
/// Takes two orders, which are packed together.
async fn next_pair(orders: &mut mpsc::Receiver<u32>) -> Option<Pair> {
    let first = orders.recv().await?;
    let second = orders.recv().await?;
    Some((first, second))
}

/// Packs all orders. One future does it from the first to the last;
/// `select!` only borrows it, so a tick does not drop it.
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
            pairs = &mut pack => return (pairs, ticks),
            _ = tick.tick() => ticks += 1,
        }
    }
}
// ANCHOR_END: pack_all

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
    async fn every_order_is_packed() {
        let (pairs, ticks) = pack_all(orders()).await;
        assert_eq!(pairs, [(1, 2), (3, 4), (5, 6)]);
        assert!(ticks > 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_order_is_packed_on_many_threads() {
        let (pairs, _) = pack_all(orders()).await;
        assert_eq!(pairs, [(1, 2), (3, 4), (5, 6)]);
    }
}
