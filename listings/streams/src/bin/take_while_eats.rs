//! Wrong: the order that ends the first group is in neither group.

use futures::{Stream, StreamExt};

// ANCHOR: wrong
/// Wrong: `take_while` takes a large order to see that the small ones
/// have ended, and drops it.
async fn small_then_large(
    mut orders: impl Stream<Item = u32> + Unpin,
) -> (Vec<u32>, Vec<u32>) {
    let small = orders
        .by_ref()
        .take_while(|order| std::future::ready(*order < 100))
        .collect()
        .await;
    let large = orders.collect().await;
    (small, large)
}
// ANCHOR_END: wrong

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
    async fn edges_the_order_between() {
        let orders = tokio_stream::iter([20, 30, 400, 500]);
        let parts = small_then_large(orders).await;
        assert_eq!(parts, (vec![20, 30], vec![500]));
    }
}
