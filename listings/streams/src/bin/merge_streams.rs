//! Orders from two places, in one stream.

// ANCHOR: merged
use futures::{Stream, StreamExt, stream};

/// The orders of both, as they come. It ends when both have ended.
fn all_orders(
    shop: impl Stream<Item = u32>,
    phone: impl Stream<Item = u32>,
) -> impl Stream<Item = u32> {
    stream::select(shop, phone)
}
// ANCHOR_END: merged

use tokio::time::{Duration, Instant, sleep};

/// Three orders, from this number on, with this time before each.
fn orders(first: u32, milliseconds: u64) -> impl Stream<Item = u32> {
    stream::iter(first..first + 3).then(move |order| async move {
        sleep(Duration::from_millis(milliseconds)).await;
        order
    })
}

async fn times() -> Vec<(u128, u32)> {
    let start = Instant::now();
    all_orders(orders(1, 20), orders(101, 30))
        .map(|order| (start.elapsed().as_millis(), order))
        .collect()
        .await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (at, order) in times().await {
        println!("{at} ms  order {order}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn they_come_as_they_are_there() {
        let mut orders = times().await;
        orders.sort_unstable();
        let expected = [
            (20, 1),
            (30, 101),
            (40, 2),
            (60, 3),
            (60, 102),
            (90, 103),
        ];
        assert_eq!(orders, expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_merge_of_tokio_stream_does_the_same() {
        let (shop, phone) = (orders(1, 1), orders(101, 1));
        let all = tokio_stream::StreamExt::merge(shop, phone);
        assert_eq!(all.count().await, 6);
    }
}
