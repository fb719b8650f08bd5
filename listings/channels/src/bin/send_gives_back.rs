//! What happens to a message that can't be sent in time?

// ANCHOR: three_ways
use tokio::{
    sync::mpsc::{
        self,
        error::{SendError, SendTimeoutError, TrySendError},
    },
    time::{Duration, timeout},
};

const PATIENCE: Duration = Duration::from_millis(50);

/// The timeout drops `send`, and the order in it.
async fn dropped(queue: &mpsc::Sender<Order>, order: Order) -> Outcome {
    match timeout(PATIENCE, queue.send(order)).await {
        Ok(Ok(())) => Outcome::Sent,
        Ok(Err(SendError(order))) => Outcome::Closed(order),
        Err(_elapsed) => Outcome::Lost,
    }
}

/// Waits as long, and returns the order in the error.
async fn back(queue: &mpsc::Sender<Order>, order: Order) -> Outcome {
    match queue.send_timeout(order, PATIENCE).await {
        Ok(()) => Outcome::Sent,
        Err(SendTimeoutError::Timeout(order)) => Outcome::Full(order),
        Err(SendTimeoutError::Closed(order)) => Outcome::Closed(order),
    }
}

/// Doesn't wait, and returns the order in the error as well.
fn now(queue: &mpsc::Sender<Order>, order: Order) -> Outcome {
    match queue.try_send(order) {
        Ok(()) => Outcome::Sent,
        Err(TrySendError::Full(order)) => Outcome::Full(order),
        Err(TrySendError::Closed(order)) => Outcome::Closed(order),
    }
}
// ANCHOR_END: three_ways

type Order = &'static str;

#[derive(Debug, PartialEq)]
enum Outcome {
    Sent,
    Full(Order),
    Closed(Order),
    Lost,
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (queue, _orders) = mpsc::channel(1);
    println!("try_send:      {:?}", now(&queue, "first"));
    println!("try_send:      {:?}", now(&queue, "tea"));
    println!("send_timeout:  {:?}", back(&queue, "tea").await);
    println!("timeout(send): {:?}", dropped(&queue, "tea").await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_timeout_around_send_loses_the_order() {
        let (queue, _orders) = mpsc::channel(1);
        assert_eq!(now(&queue, "first"), Outcome::Sent);
        assert_eq!(now(&queue, "tea"), Outcome::Full("tea"));
        assert_eq!(back(&queue, "tea").await, Outcome::Full("tea"));
        assert_eq!(dropped(&queue, "tea").await, Outcome::Lost);
    }

    #[tokio::test]
    async fn a_closed_queue_gives_it_back_to_all() {
        let (queue, orders) = mpsc::channel(1);
        drop(orders);
        let closed = Outcome::Closed("tea");
        assert_eq!(now(&queue, "tea"), closed);
        assert_eq!(back(&queue, "tea").await, closed);
        assert_eq!(dropped(&queue, "tea").await, closed);
    }
}
