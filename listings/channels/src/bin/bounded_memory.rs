//! With a bound, the queue stays short, and the shop learns of it.

// ANCHOR: shop
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::{Duration, sleep},
};

/// Takes an order each millisecond, for ten seconds, and refuses one
/// when the queue is full. Returns how many were refused.
async fn take_orders(queue: mpsc::Sender<u32>) -> usize {
    let mut refused = 0;
    for order in 0..10_000 {
        match queue.try_send(order) {
            Ok(()) => {}
            // The customer is told now, and not after a minute.
            Err(TrySendError::Full(_order)) => refused += 1,
            Err(TrySendError::Closed(_order)) => return refused,
        }
        sleep(Duration::from_millis(1)).await;
    }
    refused
}

/// Packs an order in three milliseconds.
async fn pack_all(mut orders: mpsc::Receiver<u32>) -> usize {
    let mut most_waiting = 0;
    while let Some(_order) = orders.recv().await {
        most_waiting = most_waiting.max(orders.len());
        sleep(Duration::from_millis(3)).await;
    }
    most_waiting
}
// ANCHOR_END: shop

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (queue, orders) = mpsc::channel(32);
    let (refused, most_waiting) =
        tokio::join!(take_orders(queue), pack_all(orders));
    println!("orders in the queue: up to {most_waiting}");
    println!("refused at once: {refused} of 10000");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_queue_stays_short_and_the_rest_is_refused() {
        let (queue, orders) = mpsc::channel(32);
        let (refused, most_waiting) =
            tokio::join!(take_orders(queue), pack_all(orders));
        assert!(most_waiting <= 32);
        assert!((6_000..7_000).contains(&refused), "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_nobody_packs() {
        let (queue, orders) = mpsc::channel(32);
        drop(orders);
        assert_eq!(take_orders(queue).await, 0);
    }
}
