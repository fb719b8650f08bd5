//! Wrong: two actors wait for room in each other's full inbox.

// ANCHOR: wrong
use tokio::sync::mpsc;

/// Cooks two dishes for each order, and sends them to the waiter.
async fn kitchen(
    mut orders: mpsc::Receiver<u32>,
    ready: mpsc::Sender<u32>,
) {
    while let Some(order) = orders.recv().await {
        for dish in [10 * order, 10 * order + 1] {
            // Waits until the waiter takes a dish ...
            if ready.send(dish).await.is_err() {
                return;
            }
        }
    }
}

/// Takes ten orders, and serves the ready dishes after each order.
async fn waiter(
    orders: mpsc::Sender<u32>,
    mut ready: mpsc::Receiver<u32>,
) -> usize {
    let mut served = 0;
    for order in 1..=10 {
        // ... while the waiter waits until the kitchen takes an order.
        if orders.send(order).await.is_err() {
            break;
        }
        while ready.try_recv().is_ok() {
            served += 1;
        }
    }
    drop(orders);
    while ready.recv().await.is_some() {
        served += 1;
    }
    served
}
// ANCHOR_END: wrong

use tokio::time::{Duration, timeout};

async fn run() -> usize {
    let (order, orders) = mpsc::channel(1);
    let (dish, ready) = mpsc::channel(1);
    tokio::spawn(kitchen(orders, dish));
    waiter(order, ready).await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match timeout(Duration::from_secs(60), run()).await {
        Ok(served) => println!("served: {served} of 20"),
        Err(_) => println!("nobody moves after a minute"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_ten_orders_and_room_for_one() {
        assert!(timeout(hazards::HOUR, run()).await.is_err());
    }
}
