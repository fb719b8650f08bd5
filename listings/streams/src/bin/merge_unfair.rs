//! Wrong: of four busy shops, one gets half of all polls.

use futures::{Stream, stream};
use tokio_stream::StreamExt;

// ANCHOR: wrong
/// Wrong: every `merge` splits the polls evenly between its two sides,
/// so the first shop's share is halved three times.
fn all_orders(
    shops: [impl Stream<Item = usize>; 4],
) -> impl Stream<Item = usize> {
    let [a, b, c, d] = shops;
    a.merge(b).merge(c).merge(d)
}
// ANCHOR_END: wrong

/// How many of the first 800 orders come from each of the four shops,
/// each of which always has one.
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
    async fn overload_of_all_shops() {
        assert_eq!(turns().await, [100, 100, 200, 400]);
    }
}
