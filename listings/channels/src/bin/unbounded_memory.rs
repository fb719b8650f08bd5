//! Wrong: a queue without a bound, and a slow packer.

// ANCHOR: wrong
use tokio::{
    sync::mpsc,
    time::{Duration, sleep},
};

/// Takes an order every millisecond, for ten seconds.
async fn take_orders(queue: mpsc::UnboundedSender<u32>) {
    for order in 0..10_000 {
        if queue.send(order).is_err() {
            return; // The packer was dropped.
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// Packs an order in three milliseconds.
async fn pack_all(mut orders: mpsc::UnboundedReceiver<u32>) -> usize {
    let mut most_waiting = 0;
    while let Some(_order) = orders.recv().await {
        most_waiting = most_waiting.max(orders.len());
        sleep(Duration::from_millis(3)).await;
    }
    most_waiting
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (queue, orders) = mpsc::unbounded_channel();
    let packer = tokio::spawn(pack_all(orders));
    take_orders(queue).await;
    let most_waiting = packer.await.expect("the packer does not panic");
    println!("orders in the queue: up to {most_waiting}");
}
// ANCHOR_END: wrong

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_by_three_times() {
        let (queue, orders) = mpsc::unbounded_channel();
        let packer = tokio::spawn(pack_all(orders));
        take_orders(queue).await;
        let most_waiting = packer.await.expect("it does not panic");
        assert!(most_waiting > 6_000, "{most_waiting}");
    }
}
