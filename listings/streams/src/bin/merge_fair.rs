//! Of four busy shops, each has a quarter of the turns.

use futures::{Stream, StreamExt, stream};

// ANCHOR: fair
/// The orders of all shops. A shop that was asked stands behind the
/// others, and only those that have woken it are asked.
fn all_orders(
    shops: [impl Stream<Item = usize> + Unpin; 4],
) -> impl Stream<Item = usize> {
    stream::select_all(shops)
}
// ANCHOR_END: fair

/// How many of the first 800 orders come from each of the four shops,
/// of which each always has one.
async fn turns() -> [u32; 4] {
    let shops = std::array::from_fn(stream::repeat);
    let orders = all_orders(shops).take(800);
    let mut turns = [0; 4];
    let mut orders = std::pin::pin!(orders);
    while let Some(shop) = orders.next().await {
        turns[shop] += 1;
    }
    turns
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("{:?}", turns().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn each_has_a_quarter() {
        assert_eq!(turns().await, [200, 200, 200, 200]);
    }
}
