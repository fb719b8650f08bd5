//! Wrong: a finished stream is polled again.

use std::pin::pin;

use futures::{Stream, StreamExt, stream};

// ANCHOR: wrong
/// Wrong: one stream ends first, and in the next iteration, `select!`
/// polls both again.
async fn orders_of_both(
    shop: impl Stream<Item = u32>,
    phone: impl Stream<Item = u32>,
) -> Vec<u32> {
    let (mut shop, mut phone) = (pin!(shop), pin!(phone));
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
// ANCHOR_END: wrong

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
    async fn edges_one_stream_ends_first() {
        let (shop, phone) = (orders(1, 2), orders(10, 13));
        let joined = tokio::spawn(orders_of_both(shop, phone)).await;
        let error = joined.expect_err("it panics").to_string();
        assert!(error.contains("Unfold must not be polled"), "{error}");
    }
}
