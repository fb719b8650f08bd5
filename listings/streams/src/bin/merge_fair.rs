//! Of four busy shops, every shop gets a quarter of the polls.

use futures::{Stream, StreamExt, stream};

// ANCHOR: fair
/// The orders of all shops, which take turns. It polls only the shops
/// that have woken it. Ends when all have ended.
fn all_orders(
    shops: [impl Stream<Item = usize> + Unpin; 4],
) -> impl Stream<Item = usize> {
    stream::select_all(shops)
}
// ANCHOR_END: fair

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
    use std::pin::pin;

    use hazards::at_every_poll;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn overload_of_all_shops() {
        assert_eq!(turns().await, [200, 200, 200, 200]);
    }

    #[tokio::test]
    async fn silence_of_three_shops_leaves_the_fourth() {
        let shops =
            [false, false, true, false].map(|busy| match busy {
                true => stream::iter(0..100).boxed(),
                false => stream::pending().boxed(),
            });
        assert_eq!(all_orders(shops).take(100).count().await, 100);
    }

    #[tokio::test]
    async fn cancel_of_next_loses_no_order() {
        at_every_poll(async |cancel| {
            let shops = [1, 2, 3, 4].map(|shop| {
                let order = async move {
                    yield_now().await;
                    shop
                };
                Box::pin(stream::once(order))
            });
            let mut orders = pin!(all_orders(shops));
            let first = cancel.run(orders.next()).await.flatten();
            let mut seen: Vec<_> = first.into_iter().collect();
            seen.extend(orders.collect::<Vec<_>>().await);
            seen.sort_unstable();
            assert_eq!(seen, [1, 2, 3, 4]);
        })
        .await;
    }

    #[tokio::test]
    async fn edges_empty_shops() {
        let shops = std::array::from_fn(|_| stream::empty());
        assert_eq!(all_orders(shops).count().await, 0);
    }
}
