//! Fused, a stream that has ended says so as often as it is asked.

use std::pin::pin;

use futures::{Stream, StreamExt, stream};

// ANCHOR: fused
/// The orders of both, until both have ended.
async fn orders_of_both(
    shop: impl Stream<Item = u32>,
    phone: impl Stream<Item = u32>,
) -> Vec<u32> {
    let mut shop = pin!(shop.fuse());
    let mut phone = pin!(phone.fuse());
    // ANCHOR_END: fused
    let mut orders = Vec::new();
    loop {
        tokio::select! {
            biased;
            Some(order) = shop.next() => orders.push(order),
            Some(order) = phone.next() => orders.push(order),
            else => return orders,
        }
    }
}

/// Orders with these numbers.
fn orders(from: u32, to: u32) -> impl Stream<Item = u32> {
    stream::unfold(from, move |number| async move {
        (number <= to).then_some((number, number + 1))
    })
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (shop, phone) = (orders(1, 2), orders(10, 13));
    match tokio::spawn(orders_of_both(shop, phone)).await {
        Ok(orders) => println!("{orders:?}"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn it_ends_when_both_have_ended() {
        let (shop, phone) = (orders(1, 2), orders(10, 13));
        let orders = orders_of_both(shop, phone).await;
        assert_eq!(orders, [1, 2, 10, 11, 12, 13]);
    }
}
