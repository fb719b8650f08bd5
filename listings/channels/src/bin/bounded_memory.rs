//! With a bound, the queue stays short and the shop sees the overload.

// ANCHOR: shop
use tokio::{
    sync::mpsc::{
        self,
        error::{SendError, TrySendError},
    },
    time::{Duration, sleep},
};

/// Takes an order every millisecond, for ten seconds, and rejects it
/// if the queue is full. Returns how many were rejected. The error
/// contains the order that wasn't accepted.
async fn take_orders(
    queue: mpsc::Sender<u32>,
) -> Result<usize, SendError<u32>> {
    let mut refused = 0;
    for order in 0..10_000 {
        match queue.try_send(order) {
            Ok(()) => {}
            // The customer gets an error now, not after a minute.
            Err(TrySendError::Full(_order)) => refused += 1,
            Err(TrySendError::Closed(order)) => {
                return Err(SendError(order));
            }
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(refused)
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
async fn main() -> Result<(), SendError<u32>> {
    let (queue, orders) = mpsc::channel(32);
    let (refused, most_waiting) =
        tokio::join!(take_orders(queue), pack_all(orders));
    let refused = refused?;
    println!("orders in the queue: up to {most_waiting}");
    println!("refused: {refused} of 10000");
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use hazards::{HOUR, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_by_three_times() {
        let (queue, orders) = mpsc::channel(32);
        let (refused, most_waiting) =
            tokio::join!(take_orders(queue), pack_all(orders));
        assert!(most_waiting <= 32);
        let refused = refused.expect("it is packed");
        assert!((6_000..7_000).contains(&refused), "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_is_an_error_with_the_order() {
        let (queue, orders) = mpsc::channel(32);
        drop(orders);
        assert_eq!(take_orders(queue).await, Err(SendError(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_packer_refuses_all_but_the_first() {
        let (queue, _orders) = mpsc::channel(32);
        let refused = within(HOUR, take_orders(queue)).await;
        assert_eq!(refused, Ok(10_000 - 32));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_packer_names_the_first_lost_order() {
        let (queue, mut orders) = mpsc::channel(32);
        let pack_two = async move {
            for _ in 0..2 {
                orders.recv().await;
            }
        };
        let (taken, ()) = tokio::join!(take_orders(queue), pack_two);
        assert_eq!(taken, Err(SendError(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_order_and_room_for_one() {
        let (queue, orders) = mpsc::channel(1);
        drop(queue);
        assert_eq!(pack_all(orders).now_or_never(), Some(0));
        let (queue, orders) = mpsc::channel(1);
        let (refused, most_waiting) =
            tokio::join!(take_orders(queue), pack_all(orders));
        assert!(refused.is_ok_and(|refused| refused > 6_000));
        assert!(most_waiting <= 1);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_packs_what_was_accepted() {
        // After so many milliseconds and refusals: no order is packed
        // twice, and none that was accepted is lost.
        for ms in [0, 1, 31, 32, 33, 500] {
            let (queue, mut orders) = mpsc::channel(32);
            let limit = Duration::from_millis(ms);
            let taken = tokio::time::timeout(limit, take_orders(queue));
            assert!(taken.await.is_err());
            let mut accepted = Vec::new();
            while let Ok(order) = orders.try_recv() {
                accepted.push(order);
            }
            let count = accepted.len() as u32;
            assert_eq!(u64::from(count), (ms + 1).min(32));
            assert!(accepted.into_iter().eq(0..count));
        }
    }
}
