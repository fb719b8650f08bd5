//! The stream takes three invoices and pays exactly those.

use std::sync::atomic::{AtomicU32, Ordering};

// ANCHOR: before
use futures::{FutureExt, StreamExt, stream};
use std::{any::Any, panic::AssertUnwindSafe};
use tokio::time::{Duration, timeout};

const LIMIT: Duration = Duration::from_secs(30);

/// Only three invoices go in, so every payment that starts is awaited.
/// Returns the outcomes in the order of the invoices. If this is
/// dropped, it drops the payments in progress.
async fn pay_three(
    invoices: Vec<u64>,
    bank: &Bank,
) -> Vec<Result<u64, Unknown>> {
    let pay = async |invoice| {
        // The payment is dropped inside: a panic in `drop` is caught.
        let paying = async { timeout(LIMIT, bank.pay(invoice)).await };
        let why = match AssertUnwindSafe(paying).catch_unwind().await {
            Ok(Ok(())) => return Ok(invoice),
            Ok(Err(elapsed)) => elapsed.to_string(),
            Err(panic) => message(panic),
        };
        Err(Unknown(invoice, why))
    };
    stream::iter(invoices).take(3).map(pay).buffered(4).collect().await
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("invoice {0}: {1}, so it may have been paid")]
struct Unknown(u64, String);

/// The text of a panic.
fn message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => match panic.downcast_ref::<&str>() {
            Some(text) => (*text).to_owned(),
            None => "no text".to_owned(),
        },
    }
}
// ANCHOR_END: before

/// Counts the payments that it has started and finished.
#[derive(Default)]
struct Bank {
    started: AtomicU32,
    paid: AtomicU32,
    hangs_for: Vec<u64>,
    panics_for: Vec<usize>,
}

impl Bank {
    async fn pay(&self, invoice: u64) {
        self.started.fetch_add(1, Ordering::Relaxed);
        #[cfg(test)]
        let _guard = tests::PanicsInDrop(invoice);
        if self.hangs_for.contains(&invoice) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(10 * invoice)).await;
        let panics = self.panics_for.contains(&(invoice as usize - 1));
        assert!(!panics, "no account");
        self.paid.fetch_add(1, Ordering::Relaxed);
    }

    fn counts(self) -> (u32, u32) {
        (self.started.into_inner(), self.paid.into_inner())
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let bank = Bank::default();
    let outcomes = pay_three((1..=10).collect(), &bank).await;
    println!("invoices {outcomes:?}");
    let (started, paid) = bank.counts();
    println!("{started} started, {paid} paid");
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, some_panic, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_more_invoices_than_are_paid() {
        let bank = Bank::default();
        let paid = pay_three((1..=10).collect(), &bank).await;
        assert_eq!(paid, [Ok(1), Ok(2), Ok(3)]);
        assert_eq!(bank.counts(), (3, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_fewer_invoices_than_places() {
        for count in 0..3 {
            let bank = Bank::default();
            let paid = pay_three((1..=count).collect(), &bank).await;
            assert_eq!(paid.len() as u64, count);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_outcome() {
        for hangs_for in [vec![1], vec![3], vec![1, 2, 3]] {
            let bank = Bank {
                hangs_for: hangs_for.clone(),
                ..Bank::default()
            };
            let paying = pay_three((1..=10).collect(), &bank);
            let outcomes = within(HOUR, paying).await;
            for (invoice, outcome) in (1..=3).zip(outcomes) {
                let expected = match hangs_for.contains(&invoice) {
                    true => {
                        let text = "deadline has elapsed".to_owned();
                        Err(Unknown(invoice, text))
                    }
                    false => Ok(invoice),
                };
                assert_eq!(outcome, expected);
            }
        }
    }

    pub struct PanicsInDrop(pub u64);

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            if self.0 == DROP {
                std::panic::resume_unwind(Box::new("in `drop`"));
            }
        }
    }

    const DROP: u64 = 99;

    #[tokio::test(start_paused = true)]
    async fn panic_in_a_drop_at_the_limit_leaves_the_others() {
        let bank = Bank { hangs_for: vec![DROP], ..Bank::default() };
        let outcomes = pay_three(vec![1, DROP, 3], &bank).await;
        let error = Unknown(DROP, "in `drop`".to_owned());
        assert_eq!(outcomes, [Ok(1), Err(error), Ok(3)]);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_some_leaves_the_others() {
        for panics_for in some_panic(3) {
            let bank = Bank {
                panics_for: panics_for.clone(),
                ..Bank::default()
            };
            let outcomes = pay_three(vec![1, 2, 3], &bank).await;
            assert_eq!(outcomes.len(), 3);
            for (place, outcome) in outcomes.iter().enumerate() {
                let panicked = panics_for.contains(&place);
                assert_eq!(outcome.is_err(), panicked);
            }
            let paid = 3 - panics_for.len() as u32;
            assert_eq!(bank.counts(), (3, paid));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_starts_nothing_twice() {
        at_every_poll(async |cancel| {
            let bank = Bank::default();
            let paying = pay_three((1..=10).collect(), &bank);
            let complete = cancel.run(paying).await.is_some();
            let (started, paid) = bank.counts();
            assert!(started <= 3 && paid <= started);
            assert!(!complete || paid == 3);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_can_be_spawned() {
        let paying = tokio::spawn(async {
            pay_three(vec![1, 2, 3, 4], &Bank::default()).await
        });
        assert_eq!(paying.await.expect("no panic").len(), 3);
    }
}
