//! While the waiter waits for room, it serves what is ready.

// ANCHOR: waiter
use tokio::sync::mpsc;

/// Two dishes are served for each order. If there are fewer, the
/// kitchen has closed early and lost the last of these orders.
#[derive(Debug, Default, PartialEq)]
struct Evening {
    ordered: usize,
    served: usize,
}

/// Takes ten orders, and serves dishes while it waits for room.
async fn waiter(
    orders: mpsc::Sender<usize>,
    mut ready: mpsc::Receiver<usize>,
) -> Evening {
    let mut evening = Evening::default();
    while evening.ordered < 10 {
        tokio::select! {
            biased;
            // Dishes first: the kitchen never waits for the waiter
            // while the waiter waits for the kitchen.
            Some(_dish) = ready.recv() => evening.served += 1,
            room = orders.reserve() => match room {
                Ok(room) => {
                    evening.ordered += 1;
                    room.send(evening.ordered);
                }
                Err(_closed) => break,
            },
        }
    }
    drop(orders); // No more orders: the kitchen finishes.
    while ready.recv().await.is_some() {
        evening.served += 1;
    }
    evening
}
// ANCHOR_END: waiter

/// Cooks two dishes for each order, and hands on each one's number.
async fn kitchen(
    mut orders: mpsc::Receiver<usize>,
    ready: mpsc::Sender<usize>,
) {
    while let Some(order) = orders.recv().await {
        for dish in [10 * order, 10 * order + 1] {
            if ready.send(dish).await.is_err() {
                return;
            }
        }
    }
}

/// Both in one task: a panic of the kitchen is one of this function.
async fn run() -> Evening {
    let (order, orders) = mpsc::channel(1);
    let (dish, ready) = mpsc::channel(1);
    tokio::join!(waiter(order, ready), kitchen(orders, dish)).0
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let evening = run().await;
    println!("served: {} of {}", evening.served, 2 * evening.ordered);
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};
    use tokio::time::{Duration, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_ten_orders_and_room_for_one() {
        let evening = within(HOUR, run()).await;
        assert_eq!(evening, Evening { ordered: 10, served: 20 });
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_serve_every_dish() {
        for _ in 0..100 {
            let (order, orders) = mpsc::channel(1);
            let (dish, ready) = mpsc::channel(1);
            let cooking = tokio::spawn(kitchen(orders, dish));
            let evening = waiter(order, ready).await;
            assert_eq!(evening.served, 20);
            cooking.await.expect("no panic");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_kitchen_refuses_orders() {
        let (order, orders) = mpsc::channel(1);
        let (dish, ready) = mpsc::channel(4);
        dish.send(1).await.expect("there is room");
        drop((orders, dish)); // It closes, and a dish is ready.
        let evening = within(HOUR, waiter(order, ready)).await;
        assert_eq!(evening, Evening { ordered: 0, served: 1 });
    }

    /// It closes after some orders. The orders in the channel are lost.
    #[tokio::test(start_paused = true)]
    async fn failure_of_the_kitchen_is_seen_at_any_order() {
        for cooked in 0..10 {
            let (order, mut orders) = mpsc::channel(1);
            let (dish, ready) = mpsc::channel(1);
            let fails = async move {
                for _ in 0..cooked {
                    let order = orders.recv().await.expect("ten");
                    for _ in 0..2 {
                        dish.send(order).await.expect("it serves");
                    }
                }
                sleep(Duration::from_secs(1)).await;
            };
            let run =
                async { tokio::join!(waiter(order, ready), fails).0 };
            let evening = within(HOUR, run).await;
            assert_eq!(evening.served, 2 * cooked);
            assert_eq!(evening.ordered, cooked + 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_kitchen_is_waited_for() {
        let (order, mut orders) = mpsc::channel(1);
        let (dish, ready) = mpsc::channel(1);
        let slow = async move {
            while let Some(order) = orders.recv().await {
                sleep(Duration::from_secs(60)).await;
                dish.send(order).await.expect("the waiter serves");
            }
        };
        let run = async { tokio::join!(waiter(order, ready), slow).0 };
        assert_eq!(within(HOUR, run).await.served, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_ends_the_kitchen() {
        at_every_poll(async |cancel| {
            let (order, orders) = mpsc::channel(1);
            let (dish, ready) = mpsc::channel(1);
            let kitchen = kitchen(orders, dish);
            let waiter = cancel.run(waiter(order, ready));
            let both = async { tokio::join!(waiter, kitchen) };
            within(HOUR, both).await;
        })
        .await;
    }
}
