//! Whoever waits for room takes what comes meanwhile.

// ANCHOR: waiter
use tokio::sync::mpsc;

/// Takes ten orders, and serves what is ready, whichever comes first.
async fn waiter(
    orders: mpsc::Sender<u32>,
    mut ready: mpsc::Receiver<u32>,
) -> usize {
    let mut served = 0;
    let mut next = 1;
    while next <= 10 {
        tokio::select! {
            biased;
            // Dishes first: the kitchen never waits for the waiter
            // while the waiter waits for the kitchen.
            Some(_dish) = ready.recv() => served += 1,
            room = orders.reserve() => match room {
                Ok(room) => {
                    room.send(next);
                    next += 1;
                }
                Err(_) => break, // The kitchen is closed.
            },
        }
    }
    drop(orders);
    while ready.recv().await.is_some() {
        served += 1;
    }
    served
}
// ANCHOR_END: waiter

/// Takes two dishes from each order, and tells each one's number.
async fn kitchen(
    mut orders: mpsc::Receiver<u32>,
    ready: mpsc::Sender<u32>,
) {
    while let Some(order) = orders.recv().await {
        for dish in [10 * order, 10 * order + 1] {
            if ready.send(dish).await.is_err() {
                return;
            }
        }
    }
}

async fn run() -> usize {
    let (order, orders) = mpsc::channel(1);
    let (dish, ready) = mpsc::channel(1);
    tokio::spawn(kitchen(orders, dish));
    waiter(order, ready).await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("served: {} of 20", run().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_dish_is_served() {
        assert_eq!(run().await, 20);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_dish_is_served_on_many_threads() {
        assert_eq!(run().await, 20);
    }
}
