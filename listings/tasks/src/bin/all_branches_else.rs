//! `else` runs when no branch is left.

use tokio::sync::mpsc;

// ANCHOR: take_all
/// Takes orders from both queues until both are closed. With
/// `biased;`, the shop has priority: the mail waits until the shop's
/// queue is empty.
///
/// Dropping this future loses the orders that it has taken.
async fn take_all(
    mut shop: mpsc::Receiver<u32>,
    mut mail: mpsc::Receiver<u32>,
) -> Vec<u32> {
    let mut orders = Vec::new();
    loop {
        tokio::select! {
            biased;
            Some(order) = shop.recv() => orders.push(order),
            Some(order) = mail.recv() => orders.push(order),
            else => return orders,
        }
    }
}
// ANCHOR_END: take_all

/// Two closed queues with one order each.
fn queues() -> (mpsc::Receiver<u32>, mpsc::Receiver<u32>) {
    let (shop, from_shop) = mpsc::channel(1);
    let (mail, from_mail) = mpsc::channel(1);
    shop.try_send(1).expect("there is room for one");
    mail.try_send(2).expect("there is room for one");
    (from_shop, from_mail)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (shop, mail) = queues();
    match tokio::spawn(take_all(shop, mail)).await {
        Ok(orders) => println!("orders: {orders:?}"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_two_closed_queues_end_it() {
        let (shop, mail) = queues();
        assert_eq!(take_all(shop, mail).await, [1, 2]);
        let (_, shop) = mpsc::channel(1);
        let (_, mail) = mpsc::channel(1);
        assert!(within(HOUR, take_all(shop, mail)).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_one_does_not_hold_the_other() {
        let (shop, from_shop) = mpsc::channel(1);
        let (mail, from_mail) = mpsc::channel(1);
        let taking = tokio::spawn(take_all(from_shop, from_mail));
        for order in 0..10 {
            within(HOUR, mail.send(order)).await.expect("it is taken");
        }
        drop(mail);
        tokio::time::sleep(HOUR).await;
        assert!(!taking.is_finished());
        drop(shop);
        assert_eq!(taking.await.expect("no panic").len(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_closes_both_queues() {
        at_every_poll(async |cancel| {
            let (shop, from_shop) = mpsc::channel(1);
            let (mail, from_mail) = mpsc::channel(1);
            let send = async {
                for order in 0..3 {
                    shop.send(order).await.expect("it is taken");
                }
            };
            let work = async {
                tokio::select! {
                    _ = take_all(from_shop, from_mail) => {}
                    () = send => {}
                }
            };
            cancel.run(work).await;
            assert!(shop.is_closed() && mail.is_closed());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_by_closing_both_queues_takes_what_was_accepted() {
        let (shop, from_shop) = mpsc::channel(8);
        let (mail, from_mail) = mpsc::channel(8);
        for order in 0..8 {
            shop.try_send(order).expect("there is room");
            mail.try_send(order).expect("there is room");
        }
        drop((shop, mail));
        let orders = within(HOUR, take_all(from_shop, from_mail)).await;
        assert_eq!(orders.len(), 16);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_every_order_is_taken() {
        let (shop, from_shop) = mpsc::channel(1);
        let (mail, from_mail) = mpsc::channel(1);
        let taking = tokio::spawn(take_all(from_shop, from_mail));
        let send = |queue: mpsc::Sender<u32>| async move {
            for order in 0..100 {
                queue.send(order).await.expect("it is taken");
            }
        };
        tokio::join!(send(shop), send(mail));
        assert_eq!(taking.await.expect("no panic").len(), 200);
    }
}
