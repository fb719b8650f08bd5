//! Make ten calls of 100 ms sequentially and concurrently.

use std::{ops::Range, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// A call to a service that answers after 100 ms.
async fn price_of(product: u32) -> u32 {
    sleep(Duration::from_millis(100)).await;
    10 * product
}

// ANCHOR: three_ways
/// Starts each call when the previous call has returned.
async fn one_by_one(basket: Range<u32>) -> u32 {
    let mut total = 0;
    for product in basket {
        total += price_of(product).await;
    }
    total
}

/// Creates every future first. But none runs before it's awaited.
async fn stored_first(basket: Range<u32>) -> u32 {
    let calls: Vec<_> = basket.map(price_of).collect();
    let mut total = 0;
    for call in calls {
        total += call.await;
    }
    total
}

/// Spawns a task for each call: a task runs without being awaited.
///
/// Dropping this future aborts the calls. Panics if a call panics.
async fn concurrently(basket: Range<u32>) -> u32 {
    let calls: JoinSet<u32> = basket.map(price_of).collect();
    calls.join_all().await.into_iter().sum()
}
// ANCHOR_END: three_ways

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let total = one_by_one(1..11).await;
    let took = start.elapsed().as_millis();
    println!("{took:>4} ms  one by one (total {total})");

    let start = Instant::now();
    let total = stored_first(1..11).await;
    let took = start.elapsed().as_millis();
    println!("{took:>4} ms  stored, then awaited (total {total})");

    let start = Instant::now();
    let total = concurrently(1..11).await;
    let took = start.elapsed().as_millis();
    println!("{took:>4} ms  concurrently (total {total})");
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn awaiting_one_by_one_adds_up_the_waits() {
        let start = Instant::now();
        assert_eq!(one_by_one(1..11).await, 550);
        assert_eq!(start.elapsed(), 10 * CALL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stored_future_has_not_started() {
        let start = Instant::now();
        assert_eq!(stored_first(1..11).await, 550);
        assert_eq!(start.elapsed(), 10 * CALL);
    }

    #[tokio::test(start_paused = true)]
    async fn spawned_calls_wait_together() {
        let start = Instant::now();
        assert_eq!(concurrently(1..11).await, 550);
        assert_eq!(start.elapsed(), CALL);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_total_is_the_same_on_many_threads() {
        assert_eq!(one_by_one(1..2).await, 10);
        assert_eq!(stored_first(1..2).await, 10);
        assert_eq!(concurrently(1..101).await, 50_500);
    }
}
