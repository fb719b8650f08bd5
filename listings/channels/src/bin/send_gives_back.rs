//! What becomes of a message that is not sent in time?

// ANCHOR: three_ways
use tokio::{
    sync::mpsc::{
        self,
        error::{SendTimeoutError, TrySendError},
    },
    time::{Duration, timeout},
};

const PATIENCE: Duration = Duration::from_millis(50);

/// The timeout drops `send`, and the order in it.
async fn dropped(queue: &mpsc::Sender<Order>, order: Order) -> Outcome {
    match timeout(PATIENCE, queue.send(order)).await {
        Ok(Ok(())) => Outcome::Sent,
        Ok(Err(error)) => Outcome::Back(error.0),
        Err(_elapsed) => Outcome::Gone,
    }
}

/// Waits as long, and gives the order back.
async fn back(queue: &mpsc::Sender<Order>, order: Order) -> Outcome {
    match queue.send_timeout(order, PATIENCE).await {
        Ok(()) => Outcome::Sent,
        Err(
            SendTimeoutError::Timeout(order)
            | SendTimeoutError::Closed(order),
        ) => Outcome::Back(order),
    }
}

/// Does not wait, and gives it back as well.
fn at_once(queue: &mpsc::Sender<Order>, order: Order) -> Outcome {
    match queue.try_send(order) {
        Ok(()) => Outcome::Sent,
        Err(
            TrySendError::Full(order) | TrySendError::Closed(order),
        ) => Outcome::Back(order),
    }
}
// ANCHOR_END: three_ways

type Order = &'static str;

#[derive(Debug, PartialEq)]
enum Outcome {
    Sent,
    Back(Order),
    Gone,
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (queue, _orders) = mpsc::channel(1);
    println!("try_send:      {:?}", at_once(&queue, "first"));
    println!("try_send:      {:?}", at_once(&queue, "tea"));
    println!("send_timeout:  {:?}", back(&queue, "tea").await);
    println!("timeout(send): {:?}", dropped(&queue, "tea").await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_timeout_around_send_loses_the_order() {
        let (queue, _orders) = mpsc::channel(1);
        assert_eq!(at_once(&queue, "first"), Outcome::Sent);
        assert_eq!(at_once(&queue, "tea"), Outcome::Back("tea"));
        assert_eq!(back(&queue, "tea").await, Outcome::Back("tea"));
        assert_eq!(dropped(&queue, "tea").await, Outcome::Gone);
    }

    #[tokio::test]
    async fn a_closed_queue_gives_it_back_to_all() {
        let (queue, orders) = mpsc::channel(1);
        drop(orders);
        assert_eq!(at_once(&queue, "tea"), Outcome::Back("tea"));
        assert_eq!(back(&queue, "tea").await, Outcome::Back("tea"));
        assert_eq!(dropped(&queue, "tea").await, Outcome::Back("tea"));
    }
}
