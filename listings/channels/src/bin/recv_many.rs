//! Receive all messages that are ready, up to a limit above zero.

// ANCHOR: recv_many
use std::num::NonZeroUsize;

use tokio::sync::mpsc;

/// Takes orders in batches of at most this many, until the queue is
/// closed and empty. If it's canceled, orders that weren't taken are
/// dropped with the receiver.
async fn batches(
    mut orders: mpsc::Receiver<u32>,
    at_most: NonZeroUsize,
) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut batch = Vec::new();
    while orders.recv_many(&mut batch, at_most.get()).await > 0 {
        sizes.push(batch.len());
        batch.clear();
    }
    sizes
}

/// With a limit of zero, an open channel looks closed.
async fn none_of(mut orders: mpsc::Receiver<u32>) -> usize {
    let mut batch = Vec::new();
    orders.recv_many(&mut batch, 0).await
}
// ANCHOR_END: recv_many

/// A channel with ten orders in it, which is closed.
fn ten_orders() -> mpsc::Receiver<u32> {
    let (queue, orders) = mpsc::channel(10);
    for order in 0..10 {
        queue.try_send(order).expect("there is room for ten");
    }
    orders
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for at_most in [4, 100].into_iter().filter_map(NonZeroUsize::new) {
        let sizes = batches(ten_orders(), at_most).await;
        println!("at most {at_most:>3}: {sizes:?}");
    }
    println!("of ten orders, zero: {}", none_of(ten_orders()).await);
}

#[cfg(test)]
mod tests {
    use futures::poll;
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    fn at_most(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).expect("it isn't zero")
    }

    #[tokio::test]
    async fn edges_one_many_and_no_order() {
        let sizes = batches(ten_orders(), at_most(4)).await;
        assert_eq!(sizes, [4, 4, 2]);
        assert_eq!(batches(ten_orders(), at_most(1)).await, [1; 10]);
        assert_eq!(
            batches(ten_orders(), NonZeroUsize::MAX).await,
            [10]
        );
        let (queue, orders) = mpsc::channel(1);
        drop(queue);
        assert_eq!(batches(orders, at_most(4)).await, [0; 0]);
        assert_eq!(none_of(ten_orders()).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_senders_make_small_batches() {
        let (queue, orders) = mpsc::channel(10);
        let send = async {
            for order in 0..3 {
                tokio::time::sleep(HOUR).await;
                queue.send(order).await.expect("it's open");
            }
            drop(queue);
        };
        let (sizes, ()) =
            tokio::join!(batches(orders, at_most(4)), send);
        assert_eq!(sizes, [1, 1, 1]);
    }

    /// The call itself takes all that it promises, or nothing.
    #[tokio::test(start_paused = true)]
    async fn cancel_takes_nothing() {
        at_every_poll(async |cancel| {
            let (queue, mut orders) = mpsc::channel(10);
            let mut batch = Vec::new();
            let send = async {
                tokio::task::yield_now().await;
                for order in 0..3 {
                    queue.send(order).await.expect("it's open");
                }
            };
            let take = cancel.run(orders.recv_many(&mut batch, 10));
            let (taken, ()) = tokio::join!(take, send);
            assert_eq!(taken.unwrap_or_default(), batch.len());
            assert_eq!(batch.len() + orders.len(), 3);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_senders_end_it() {
        let (queue, orders) = mpsc::channel(10);
        let mut batches = std::pin::pin!(batches(orders, at_most(4)));
        assert!(poll!(batches.as_mut()).is_pending());
        queue.send(1).await.expect("it's open");
        drop(queue);
        assert_eq!(within(HOUR, batches).await, [1]);
    }
}
