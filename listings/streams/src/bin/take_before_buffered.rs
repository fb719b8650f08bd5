//! It takes three invoices, and pays them.

use std::sync::atomic::{AtomicU32, Ordering};

use futures::{StreamExt, stream};
use tokio::time::{Duration, sleep};

// ANCHOR: before
/// Only three go in, so each that is begun is waited for.
async fn pay_three(invoices: Vec<u64>, bank: &Bank) -> Vec<u64> {
    stream::iter(invoices)
        .take(3)
        .map(|invoice| bank.pay(invoice))
        .buffered(4)
        .collect()
        .await
}
// ANCHOR_END: before

/// Counts what it has begun and what it has finished.
#[derive(Default)]
struct Bank {
    begun: AtomicU32,
    paid: AtomicU32,
}

impl Bank {
    async fn pay(&self, invoice: u64) -> u64 {
        self.begun.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(10 * invoice)).await;
        self.paid.fetch_add(1, Ordering::Relaxed);
        invoice
    }

    fn counts(self) -> (u32, u32) {
        (self.begun.into_inner(), self.paid.into_inner())
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let bank = Bank::default();
    let paid = pay_three((1..=10).collect(), &bank).await;
    println!("invoices {paid:?}");
    let (begun, paid) = bank.counts();
    println!("{begun} begun, {paid} paid");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_begun_is_finished() {
        let bank = Bank::default();
        let paid = pay_three((1..=10).collect(), &bank).await;
        assert_eq!(paid, [1, 2, 3]);
        assert_eq!(bank.counts(), (3, 3));
    }
}
