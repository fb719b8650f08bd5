//! Look at the next order, and take it only if it's small.

use std::pin::pin;

use futures::{Stream, StreamExt};

// ANCHOR: next_if
/// The small orders at the front, and all orders after them.
async fn small_then_large(
    orders: impl Stream<Item = u32>,
) -> (Vec<u32>, Vec<u32>) {
    let mut orders = pin!(orders.peekable());
    let mut small = Vec::new();
    let is_small = |order: &u32| *order < 100;
    while let Some(order) = orders.as_mut().next_if(is_small).await {
        small.push(order);
    }
    let large = orders.collect().await;
    (small, large)
}
// ANCHOR_END: next_if

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let orders = tokio_stream::iter([20, 30, 400, 500]);
    let (small, large) = small_then_large(orders).await;
    println!("small: {small:?}, large: {large:?}");
}

#[cfg(test)]
mod tests {
    use hazards::at_every_poll;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_the_order_between() {
        let orders = tokio_stream::iter([20, 30, 400, 500]);
        let parts = small_then_large(orders).await;
        assert_eq!(parts, (vec![20, 30], vec![400, 500]));
    }

    #[tokio::test]
    async fn edges_one_part_is_empty() {
        for orders in [&[][..], &[1], &[100], &[1, 2], &[100, 1]] {
            let stream = futures::stream::iter(orders.to_vec());
            let (small, large) = small_then_large(stream).await;
            assert_eq!([small, large.clone()].concat(), orders);
            assert!(large.first().is_none_or(|order| *order >= 100));
        }
    }

    #[tokio::test]
    async fn cancel_asks_for_no_further_order() {
        at_every_poll(async |cancel| {
            let mut rest = futures::stream::iter([20, 400, 500]);
            let orders = rest.by_ref().then(async |order| {
                tokio::task::yield_now().await;
                order
            });
            cancel.run(small_then_large(orders)).await;
            let taken = 3 - rest.count().await;
            assert_eq!(taken, cancel.polls().min(3));
        })
        .await;
    }
}
