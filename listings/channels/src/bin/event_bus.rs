//! A subscriber gets a snapshot, and every event after it.

// ANCHOR: bus
use std::sync::Mutex;

use tokio::sync::broadcast;

/// The orders that are open, and the events that change them.
struct Orders {
    open: Mutex<Vec<u32>>,
    events: broadcast::Sender<Event>,
}

impl Orders {
    /// The state now, and what happens from now on: nothing in
    /// between is missed or told twice, as both are under one lock.
    fn subscribe(&self) -> (Vec<u32>, broadcast::Receiver<Event>) {
        let open = self.open.lock().expect("no panic");
        (open.clone(), self.events.subscribe())
    }

    fn accept(&self, order: u32) {
        let mut open = self.open.lock().expect("no panic");
        open.push(order);
        // Fails where nobody listens, which is no error.
        let _ = self.events.send(Event::Accepted(order));
    }
}

/// Follows the orders; after a lag, with a new snapshot.
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
    use super::*;

    #[tokio::test]
    async fn a_lag_is_made_good_by_a_snapshot() {
        assert!(run(16).await.into_iter().eq(1..=10));
        assert!(run(2).await.into_iter().eq(1..=10));
    }
}
