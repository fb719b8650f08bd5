//! Wrong: a stream that always has an item lets no other task run.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures::{Stream, StreamExt, stream};
use tokio::task::yield_now;

// ANCHOR: wrong
/// Wrong: every item is ready immediately, so no `.await` ever yields
/// to the runtime.
async fn sum_all(amounts: impl Stream<Item = u64> + Unpin) -> u64 {
    let mut amounts = amounts;
    let mut sum = 0;
    while let Some(amount) = amounts.next().await {
        sum += amount;
    }
    sum
}
// ANCHOR_END: wrong

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
        assert_eq!(turns_during(sum_all(amounts)).await, 0);
    }

    #[tokio::test]
    async fn nor_has_it_with_the_macro() {
        let amounts = async_stream::stream! {
            for amount in 0..10_000 {
                yield amount;
            }
        };
        let sum = sum_all(Box::pin(amounts));
        assert_eq!(turns_during(sum).await, 0);
    }
}
