//! A bounded queue passes the packer's pace on to the shop.

// ANCHOR: shop
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep},
};

/// Takes orders as fast as the queue lets it, and notes when.
async fn take_orders(queue: mpsc::Sender<u32>) -> Vec<Duration> {
    let start = Instant::now();
    let mut taken = Vec::new();
    for order in 1..=7 {
        // Waits while the queue is full. Fails when nobody packs.
        if queue.send(order).await.is_err() {
            break;
        }
        taken.push(start.elapsed());
    }
    taken
}

/// Packs one order after the other, until the shop has gone.
async fn pack_all(mut orders: mpsc::Receiver<u32>) -> usize {
    let mut packed = 0;
    while let Some(_order) = orders.recv().await {
        sleep(Duration::from_millis(100)).await;
        packed += 1;
    }
    packed
}
// ANCHOR_END: shop

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (queue, orders) = mpsc::channel(3);
    let (taken, packed) =
        tokio::join!(take_orders(queue), pack_all(orders));
    for (order, at) in (1..).zip(taken) {
        println!("{:>3} ms  order {order} is taken", at.as_millis());
    }
    println!("packed: {packed}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn three_wait_in_the_queue_and_the_next_ones_outside() {
        let (queue, orders) = mpsc::channel(3);
        let (taken, packed) =
            tokio::join!(take_orders(queue), pack_all(orders));
        let at: Vec<_> =
            taken.into_iter().map(|it| it.as_millis()).collect();
        assert_eq!(at, [0, 0, 0, 0, 100, 200, 300]);
        assert_eq!(packed, 7);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_shop_ends_when_the_packer_has_gone() {
        let (queue, orders) = mpsc::channel(3);
        drop(orders);
        assert_eq!(take_orders(queue).await, []);
    }
}
