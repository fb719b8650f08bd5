//! A bounded queue makes the shop wait for the packer.

// ANCHOR: shop
use tokio::{
    sync::mpsc::{self, error::SendError},
    time::{Duration, Instant, sleep},
};

/// Accepts orders as fast as the queue allows, and records when.
///
/// The error contains the order that wasn't accepted. It means that the
/// receiver was dropped, so accepted orders that were still queued are
/// lost, too. If this is canceled while it waits, the order is dropped,
/// not accepted.
async fn take_orders(
    queue: mpsc::Sender<u32>,
    accepted: &mut Vec<(u32, Duration)>,
) -> Result<(), SendError<u32>> {
    let start = Instant::now();
    for order in 1..=7 {
        // Waits while the queue is full.
        queue.send(order).await?;
        accepted.push((order, start.elapsed()));
    }
    Ok(())
}

/// Packs one order after another until the shop is closed and the
/// queue is empty.
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
async fn main() -> Result<(), SendError<u32>> {
    let (queue, orders) = mpsc::channel(3);
    let mut accepted = Vec::new();
    let (taken, packed) = tokio::join!(
        take_orders(queue, &mut accepted),
        pack_all(orders)
    );
    for (order, at) in accepted {
        println!("{:>3} ms  order {order} is accepted", at.as_millis());
    }
    println!("packed: {packed}");
    taken
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_packing_lets_three_wait_in_the_queue() {
        let (queue, orders) = mpsc::channel(3);
        let mut accepted = Vec::new();
        let (taken, packed) = tokio::join!(
            take_orders(queue, &mut accepted),
            pack_all(orders)
        );
        let at = accepted.iter().map(|(_, at)| at.as_millis());
        assert!(at.eq([0, 0, 0, 0, 100, 200, 300]));
        assert_eq!((taken, packed), (Ok(()), 7));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_packer_makes_the_shop_wait() {
        let (queue, _orders) = mpsc::channel(3);
        let mut accepted = Vec::new();
        let taking = take_orders(queue, &mut accepted);
        assert!(tokio::time::timeout(HOUR, taking).await.is_err());
        assert_eq!(accepted.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_packs_what_was_accepted() {
        at_every_poll(async |cancel| {
            let (queue, orders) = mpsc::channel(3);
            let mut accepted = Vec::new();
            let taking = async {
                cancel.run(take_orders(queue, &mut accepted)).await
            };
            let (_, packed) = tokio::join!(taking, pack_all(orders));
            assert_eq!(packed, accepted.len());
        })
        .await;
    }

    #[tokio::test]
    async fn owner_gone_is_an_error_with_the_order() {
        let (queue, orders) = mpsc::channel(3);
        drop(orders);
        let mut accepted = Vec::new();
        let taken = take_orders(queue, &mut accepted).await;
        assert_eq!(taken, Err(SendError(1)));
        assert!(accepted.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_packer_loses_what_is_queued() {
        let (queue, mut orders) = mpsc::channel(3);
        let mut accepted = Vec::new();
        let pack_one = async move { orders.recv().await };
        let (taken, packed) = tokio::join!(
            within(HOUR, take_orders(queue, &mut accepted)),
            pack_one
        );
        assert_eq!((taken, packed), (Err(SendError(4)), Some(1)));
        let accepted = accepted.into_iter().map(|(order, _)| order);
        assert!(accepted.eq([1, 2, 3]));
    }

    #[tokio::test(start_paused = true)]
    async fn stop_of_the_shop_empties_the_queue() {
        let (queue, orders) = mpsc::channel(8);
        for order in 0..8 {
            queue.try_send(order).expect("there is room");
        }
        drop(queue);
        assert_eq!(within(HOUR, pack_all(orders)).await, 8);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_served_first_come_first_served() {
        let (queue, mut orders) = mpsc::channel(1);
        let sends = (0..5).map(|order| queue.send(order));
        let sends = futures::future::join_all(sends);
        let read = async {
            let mut read = Vec::new();
            while read.len() < 5 {
                read.extend(orders.recv().await);
            }
            read
        };
        let (_, read) = tokio::join!(sends, read);
        assert_eq!(read, [0, 1, 2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_room_for_one_and_no_order() {
        let (queue, orders) = mpsc::channel(1);
        let mut accepted = Vec::new();
        let (taken, packed) = tokio::join!(
            take_orders(queue, &mut accepted),
            pack_all(orders)
        );
        assert_eq!((taken, packed), (Ok(()), 7));
        let (queue, orders) = mpsc::channel(1);
        drop(queue);
        assert_eq!(pack_all(orders).await, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_pack_every_order() {
        for _ in 0..20 {
            let (queue, mut orders) = mpsc::channel(3);
            let packing = tokio::spawn(async move {
                let mut packed = Vec::new();
                while let Some(order) = orders.recv().await {
                    packed.push(order);
                }
                packed
            });
            let mut accepted = Vec::new();
            let taken = take_orders(queue, &mut accepted).await;
            assert_eq!(taken, Ok(()));
            let packed = packing.await.expect("no panic");
            assert!(packed.into_iter().eq(1..=7));
        }
    }
}
