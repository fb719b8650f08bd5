//! Looks at the next order, and takes it if it is one of them.

use std::pin::pin;

use futures::{Stream, StreamExt};

// ANCHOR: next_if
/// The small orders at the front, and all that come after them.
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
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn none_is_lost() {
        let orders = tokio_stream::iter([20, 30, 400, 500]);
        let parts = small_then_large(orders).await;
        assert_eq!(parts, (vec![20, 30], vec![400, 500]));
    }
}
