//! The stream ends at the deadline, and the offers so far are kept.

use futures::{Stream, StreamExt};
use tokio::time::{Duration, sleep};

// ANCHOR: until
/// The offers of the first second, at most a hundred of them. It may
/// return earlier, if the offers end.
async fn offers_in_time(offers: impl Stream<Item = u32>) -> Vec<u32> {
    let time_is_up = sleep(Duration::from_secs(1));
    offers.take(100).take_until(time_is_up).collect().await
}
// ANCHOR_END: until

/// An offer every 300 ms.
fn offers() -> impl Stream<Item = u32> {
    futures::stream::iter([90, 80, 85, 70, 95]).then(async |offer| {
        sleep(Duration::from_millis(300)).await;
        offer
    })
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("{:?}", offers_in_time(offers()).await);
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::stream;
    use hazards::at_every_poll;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_offers_after_the_deadline() {
        assert_eq!(offers_in_time(offers()).await, [90, 80, 85]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_the_deadline() {
        let start = Instant::now();
        assert!(offers_in_time(stream::pending()).await.is_empty());
        let one = stream::iter([90]).chain(stream::pending());
        assert_eq!(offers_in_time(one).await, [90]);
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test]
    async fn overload_by_offers_without_an_end() {
        assert_eq!(offers_in_time(stream::repeat(1)).await.len(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_asks_for_no_further_offer() {
        at_every_poll(async |cancel| {
            let asked = Cell::new(0);
            let count = |_: &u32| asked.set(asked.get() + 1);
            let gather = offers_in_time(offers().inspect(count));
            cancel.run(gather).await;
            let before = asked.get();
            sleep(Duration::from_secs(5)).await;
            assert_eq!(asked.get(), before);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_offer_and_one() {
        let start = Instant::now();
        assert!(offers_in_time(stream::empty()).await.is_empty());
        assert_eq!(offers_in_time(stream::iter([90])).await, [90]);
        assert!(start.elapsed().is_zero());
    }
}
