//! Orders from two places, in one stream.

// ANCHOR: merged
use futures::{Stream, StreamExt, stream};

/// The orders of both streams, as they arrive, until both have ended.
fn all_orders(
    shop: impl Stream<Item = u32>,
    phone: impl Stream<Item = u32>,
) -> impl Stream<Item = u32> {
    stream::select(shop, phone)
}
// ANCHOR_END: merged

use tokio::time::{Duration, Instant, sleep};

/// Three orders, numbered from `first`, one after every pause.
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
    use std::pin::pin;

    use hazards::at_every_poll;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_orders_come_as_they_are_ready() {
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

    #[tokio::test]
    async fn overload_of_both_alternates() {
        let both = all_orders(stream::repeat(1), stream::repeat(2));
        let both: Vec<_> = both.take(100).collect().await;
        assert!(both.chunks(2).all(|two| two[0] != two[1]));
    }

    #[tokio::test]
    async fn silence_of_one_leaves_the_other() {
        let ours = all_orders(stream::pending(), stream::iter(0..3));
        let seen: Vec<_> = ours.take(3).collect().await;
        assert_eq!(seen, [0, 1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_loses_no_order() {
        at_every_poll(async |cancel| {
            let both = all_orders(orders(1, 20), orders(101, 30));
            let mut both = pin!(both);
            let first = cancel.run(both.next()).await.flatten();
            let mut seen: Vec<_> = first.into_iter().collect();
            seen.extend(both.collect::<Vec<_>>().await);
            assert_eq!(seen.len(), 6);
        })
        .await;
    }

    #[tokio::test]
    async fn edges_one_or_both_are_empty() {
        let none = all_orders(stream::empty(), stream::empty());
        assert_eq!(none.count().await, 0);
        let one = all_orders(stream::empty(), stream::iter([1]));
        assert_eq!(one.count().await, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_the_merge_of_tokio_stream_does_the_same() {
        let (shop, phone) = (orders(1, 1), orders(101, 1));
        let all = tokio_stream::StreamExt::merge(shop, phone);
        assert_eq!(all.count().await, 6);
    }
}
