//! Wrong: the stream takes three payments and drops others halfway.

use std::sync::atomic::{AtomicU32, Ordering};

use futures::{StreamExt, stream};
use tokio::time::{Duration, sleep};

// ANCHOR: wrong
/// Wrong: to keep four in progress, `buffered` starts more than three.
/// When `take` has its three, the others are dropped halfway.
async fn pay_three(invoices: Vec<u64>, bank: &Bank) -> Vec<u64> {
    stream::iter(invoices)
        .map(|invoice| bank.pay(invoice))
        .buffered(4)
        .take(3)
        .collect()
        .await
}
// ANCHOR_END: wrong

/// Counts the payments that it has started and finished.
#[derive(Default)]
struct Bank {
    started: AtomicU32,
    paid: AtomicU32,
}

impl Bank {
    async fn pay(&self, invoice: u64) -> u64 {
        self.started.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(10 * invoice)).await;
        self.paid.fetch_add(1, Ordering::Relaxed);
        invoice
    }

    fn counts(self) -> (u32, u32) {
        (self.started.into_inner(), self.paid.into_inner())
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let bank = Bank::default();
    let paid = pay_three((1..=10).collect(), &bank).await;
    println!("invoices {paid:?}");
    let (started, paid) = bank.counts();
    println!("{started} started, {paid} paid");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_more_invoices_than_are_paid() {
        let bank = Bank::default();
        let paid = pay_three((1..=10).collect(), &bank).await;
        assert_eq!(paid, [1, 2, 3]);
        sleep(Duration::from_secs(1)).await;
        let (started, paid) = bank.counts();
        assert!(started > paid, "{started} started, {paid} paid");
    }
}
