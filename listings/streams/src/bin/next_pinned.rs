//! Pinned in the function, or boxed if the stream must move.

// ANCHOR: two_ways
use std::pin::pin;

use futures::{
    StreamExt,
    stream::{self, BoxStream, Stream},
};

/// Pinned in place, for a loop in this function.
async fn sum_all(amounts: impl Stream<Item = u32>) -> u64 {
    let mut amounts = pin!(amounts);
    let mut sum = 0;
    while let Some(amount) = amounts.next().await {
        sum += u64::from(amount);
    }
    sum
}

/// Boxed, for a field, a list, or one of several types of streams.
struct Ledger {
    amounts: BoxStream<'static, u32>,
}

impl Ledger {
    fn open(is_new: bool) -> Self {
        let amounts = match is_new {
            true => stream::empty().boxed(),
            false => amounts().boxed(),
        };
        Self { amounts }
    }

    async fn next(&mut self) -> Option<u32> {
        self.amounts.next().await
    }
}
// ANCHOR_END: two_ways

/// 100, 200 and 300.
fn amounts() -> impl Stream<Item = u32> {
    stream::unfold(1, |number| async move {
        tokio::task::yield_now().await;
        (number <= 3).then_some((100 * number, number + 1))
    })
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("sum:   {}", sum_all(amounts()).await);
    let mut ledger = Ledger::open(false);
    println!("first: {:?}", ledger.next().await);
    println!("new:   {:?}", Ledger::open(true).next().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_a_boxed_stream_moves_into_a_task() {
        let mut ledger = Ledger::open(false);
        assert_eq!(ledger.next().await, Some(100));
        let rest =
            tokio::spawn(async move { sum_all(ledger.amounts).await });
        assert_eq!(rest.await.expect("it does not panic"), 500);
    }

    #[tokio::test]
    async fn cancel_of_next_loses_no_amount() {
        hazards::at_every_poll(async |cancel| {
            let mut ledger = Ledger::open(false);
            let first = cancel.run(ledger.next()).await.flatten();
            let rest = sum_all(ledger.amounts).await;
            assert_eq!(u64::from(first.unwrap_or(0)) + rest, 600);
        })
        .await;
    }

    #[tokio::test]
    async fn edges_no_amount_and_large_ones() {
        assert_eq!(sum_all(stream::empty()).await, 0);
        let large = stream::iter([u32::MAX; 2]);
        assert_eq!(sum_all(large).await, 2 * u64::from(u32::MAX));
        assert_eq!(Ledger::open(true).next().await, None);
    }
}
