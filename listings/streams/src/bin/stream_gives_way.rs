//! A loop over a stream that is always ready lets other tasks run.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures::{Stream, StreamExt, stream};
use tokio::task::yield_now;

// ANCHOR: gives_way
use tokio::task::coop::cooperative;

/// Every item costs one unit of the task's budget. When that is used
/// up, `cooperative` yields to the runtime.
async fn sum_all(amounts: impl Stream<Item = u64> + Unpin) -> u64 {
    let mut amounts = amounts;
    let mut sum = 0;
    while let Some(amount) = cooperative(amounts.next()).await {
        sum += amount;
    }
    sum
}
// ANCHOR_END: gives_way

/// How often another task gets polled while `work` runs.
async fn turns_during(work: impl Future<Output = u64>) -> u32 {
    yield_now().await; // It starts with a full budget.
    let turns = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            count.fetch_add(1, Ordering::Relaxed);
            yield_now().await;
        }
    });
    work.await;
    other.abort();
    turns.load(Ordering::Relaxed)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let turns = turns_during(sum_all(stream::iter(0..10_000))).await;
    println!("polls of another task: {turns}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_of_ready_items() {
        let amounts = stream::iter(0..10_000);
        let turns = turns_during(sum_all(amounts)).await;
        assert_eq!(turns, 10_000 / 128);
    }

    #[tokio::test]
    async fn the_iter_of_tokio_stream_gives_way_by_itself() {
        let amounts = tokio_stream::iter(0..10_000);
        let sum = amounts.fold(0, async |sum, amount| sum + amount);
        assert!(turns_during(sum).await > 10);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_no_item_and_three() {
        assert_eq!(sum_all(stream::empty()).await, 0);
        let amounts = stream::iter([1, 2, 3]);
        assert_eq!(sum_all(amounts).await, 6);
    }
}
