//! Wrong: both queues are closed, so `select!` has nothing to wait for.

use tokio::sync::mpsc;

// ANCHOR: wrong
/// Wrong: a pattern that doesn't match disables its branch. When both
/// queues are closed, no branch is left, so `select!` panics.
async fn take_all(
    mut shop: mpsc::Receiver<u32>,
    mut mail: mpsc::Receiver<u32>,
) -> Vec<u32> {
    let mut orders = Vec::new();
    while orders.len() < 3 {
        tokio::select! {
            biased;
            Some(order) = shop.recv() => orders.push(order),
            Some(order) = mail.recv() => orders.push(order),
        }
    }
    orders
}
// ANCHOR_END: wrong

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
    use super::*;

    #[tokio::test]
    async fn edges_two_closed_queues_end_it() {
        let (shop, mail) = queues();
        // The mistake: a panic ends it.
        let joined = tokio::spawn(take_all(shop, mail)).await;
        let error = joined.expect_err("it panics").to_string();
        assert!(error.contains("all branches are disabled"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_panics_on_many_threads() {
        let (shop, mail) = queues();
        let joined = tokio::spawn(take_all(shop, mail)).await;
        assert!(joined.expect_err("it panics").is_panic());
    }
}
