//! A subscriber gets a snapshot, and every event after it.

// ANCHOR: bus
use std::sync::Mutex;

use tokio::sync::broadcast;

/// The open orders, and the events that change them.
struct Orders {
    open: Mutex<Vec<u32>>,
    events: broadcast::Sender<Event>,
}

impl Orders {
    /// The state now, and every event from now on. Both are taken
    /// under one lock, so no event is missed or seen twice.
    fn subscribe(&self) -> (Vec<u32>, broadcast::Receiver<Event>) {
        let open = self.open.lock().expect("no panic");
        (open.clone(), self.events.subscribe())
    }

    fn accept(&self, order: u32) {
        let mut open = self.open.lock().expect("no panic");
        open.push(order);
        // Never waits. Fails without receivers, which is fine here.
        _ = self.events.send(Event::Accepted(order));
    }
}

/// Follows the orders until this many are open.
async fn follow(orders: &Orders, until: usize) -> Vec<u32> {
    let (mut open, mut events) = orders.subscribe();
    while open.len() < until {
        match events.recv().await {
            Ok(Event::Accepted(order)) => open.push(order),
            Err(RecvError::Lagged(_)) => {
                (open, events) = orders.subscribe();
            }
            Err(RecvError::Closed) => break,
        }
    }
    open
}
// ANCHOR_END: bus

use tokio::{sync::broadcast::error::RecvError, task::yield_now};

#[derive(Clone, Debug)]
enum Event {
    Accepted(u32),
}

impl Orders {
    fn new(capacity: usize) -> Self {
        Self {
            open: Mutex::default(),
            events: broadcast::Sender::new(capacity),
        }
    }
}

/// One order before there is a subscriber, and many after.
async fn run(capacity: usize) -> Vec<u32> {
    let orders = Orders::new(capacity);
    orders.accept(1);
    let rest = async {
        yield_now().await;
        for order in 2..=10 {
            orders.accept(order);
        }
    };
    let (seen, ()) = tokio::join!(follow(&orders, 10), rest);
    seen
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("room for 16 events: {:?}", run(16).await);
    println!("room for 2 events:  {:?}", run(2).await);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test]
    async fn slow_subscribers_catch_up_with_a_snapshot() {
        assert!(run(16).await.into_iter().eq(1..=10));
        assert!(run(2).await.into_iter().eq(1..=10));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_room_for_one_and_nothing_to_wait_for() {
        assert!(run(1).await.into_iter().eq(1..=10));
        let orders = Orders::new(4);
        assert_eq!(within(HOUR, follow(&orders, 0)).await, [0; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_shop_is_waited_for() {
        let orders = Orders::new(4);
        let quiet = async {
            tokio::time::sleep(HOUR).await;
            orders.accept(1);
        };
        let (seen, ()) = tokio::join!(follow(&orders, 1), quiet);
        assert_eq!(seen, [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_bus_as_it_was() {
        at_every_poll(async |cancel| {
            let orders = Orders::new(2);
            let accept = async {
                for order in 1..=5 {
                    orders.accept(order);
                    yield_now().await;
                }
            };
            tokio::join!(cancel.run(follow(&orders, 5)), accept);
            assert_eq!(orders.events.receiver_count(), 0);
            assert!(follow(&orders, 5).await.into_iter().eq(1..=5));
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_see_every_order_once() {
        for _ in 0..50 {
            let orders = Arc::new(Orders::new(4));
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..3 {
                let orders = Arc::clone(&orders);
                tasks.spawn(async move { follow(&orders, 400).await });
            }
            for shop in 0..4 {
                let orders = Arc::clone(&orders);
                tasks.spawn(async move {
                    for order in 0..100 {
                        orders.accept(100 * shop + order);
                        yield_now().await;
                    }
                    (0..400).collect()
                });
            }
            for mut seen in tasks.join_all().await {
                seen.sort();
                assert!(seen.into_iter().eq(0..400));
            }
        }
    }
}
