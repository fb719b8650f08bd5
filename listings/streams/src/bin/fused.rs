//! A fused stream keeps returning `None` after it ends.

use std::pin::pin;

use futures::{Stream, StreamExt, stream};

// ANCHOR: fused
/// The orders of both streams, until both have ended.
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
        Ok(mut orders) => {
            orders.sort_unstable(); // They arrived in random order.
            println!("{orders:?}");
        }
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::at_every_poll;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_one_stream_ends_first() {
        for last in [10, 11, 12, 13, 20] {
            let (shop, phone) = (orders(1, 2), orders(10, last));
            let joined =
                tokio::spawn(orders_of_both(shop, phone)).await;
            let mut orders = joined.expect("no panic");
            orders.sort_unstable();
            assert!(orders.into_iter().eq((1..=2).chain(10..=last)));
        }
    }

    #[tokio::test]
    async fn edges_either_stream_ends_first() {
        for (last, phone_last) in [(2, 15), (5, 10), (0, 12), (3, 9)] {
            let waits = |order| async move {
                tokio::task::yield_now().await;
                order
            };
            let shop = orders(1, last).then(waits);
            let phone = orders(10, phone_last).then(waits);
            let mut seen = orders_of_both(shop, phone).await;
            seen.sort_unstable();
            let all = (1..=last).chain(10..=phone_last);
            assert!(seen.into_iter().eq(all));
        }
    }

    #[tokio::test]
    async fn overload_of_the_shop_leaves_the_phone_its_turn() {
        let shop = stream::repeat(1).take(1000);
        let seen = orders_of_both(shop, orders(10, 13)).await;
        let last = seen.iter().rposition(|order| *order > 1);
        assert!(last.expect("they called") < 500);
        assert_eq!(seen.len(), 1004);
    }

    #[tokio::test]
    async fn edges_none_has_an_order() {
        let orders = orders_of_both(orders(1, 0), orders(1, 0)).await;
        assert!(orders.is_empty());
    }

    #[tokio::test]
    async fn cancel_at_every_poll_panics_nowhere() {
        at_every_poll(async |cancel| {
            let waits = |order| async move {
                tokio::task::yield_now().await;
                order
            };
            let (shop, phone) = (orders(1, 2), orders(10, 13));
            let gather =
                orders_of_both(shop.then(waits), phone.then(waits));
            let orders = cancel.run(gather).await;
            assert!(orders.is_none_or(|orders| orders.len() == 6));
        })
        .await;
    }
}
