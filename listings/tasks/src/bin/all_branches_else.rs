//! `else` runs when no branch is left.

use tokio::sync::mpsc;

// ANCHOR: take_all
/// Takes orders from both queues, until both are closed.
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

/// Two queues that have an order each, and are closed then.
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
    use super::*;

    #[tokio::test]
    async fn it_ends_when_all_are_closed() {
        let (shop, mail) = queues();
        assert_eq!(take_all(shop, mail).await, [1, 2]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_ends_on_many_threads() {
        let (shop, mail) = queues();
        let orders = tokio::spawn(take_all(shop, mail)).await;
        assert_eq!(orders.expect("it does not panic"), [1, 2]);
    }
}
