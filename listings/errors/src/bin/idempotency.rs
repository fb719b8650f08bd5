//! With an idempotency key, a repeated request is executed only once.

// ANCHOR: key
/// Charges the card at most once. Store the key with the order before
/// the first call: every later call, even after a crash, must send the
/// same key. After `NoAnswer`, or if this future is dropped, you don't
/// know whether it was charged.
async fn pay(
    bank: &Bank,
    key: &str,
    cents: u32,
) -> Result<(), PayError> {
    for bound in [0, 100, 200].map(Duration::from_millis) {
        sleep(bound.mul_f64(fastrand::f64())).await;
        let charged = bank.charge(key, cents);
        match timeout(Duration::from_secs(1), charged).await {
            Ok(Err(PayError::NoAnswer)) | Err(_) => {}
            Ok(answered) => return answered,
        }
    }
    Err(PayError::NoAnswer)
}

impl Bank {
    /// Repeats its answer for a known key, without a second charge.
    async fn charge(
        &self,
        key: &str,
        cents: u32,
    ) -> Result<(), PayError> {
        {
            // Check and charge under one lock, or in one transaction,
            // because two requests with one key can arrive together.
            let mut charged = self.charged();
            let first = *charged.entry(key.into()).or_insert(cents);
            if first != cents {
                return Err(PayError::OtherAmount { first });
            }
        }
        self.answer().await
    }
}
// ANCHOR_END: key

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::time::{Duration, sleep, timeout};

#[derive(Debug, PartialEq, thiserror::Error)]
enum PayError {
    #[error("no answer: you don't know whether it was charged")]
    NoAnswer,
    #[error("this key was used to charge {first} cents")]
    OtherAmount { first: u32 },
}

/// A bank whose first answers are lost on the way.
#[derive(Default)]
struct Bank {
    charged: Mutex<BTreeMap<String, u32>>,
    calls: AtomicU32,
    lost: u32,
    /// Lost as silence, and not as a connection that breaks.
    silent: bool,
}

impl Bank {
    fn losing(lost: u32) -> Self {
        Self { lost, ..Self::default() }
    }

    fn charged(&self) -> MutexGuard<'_, BTreeMap<String, u32>> {
        self.charged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn total(&self) -> u32 {
        self.charged().values().sum()
    }

    async fn answer(&self) -> Result<(), PayError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match call < self.lost {
            true if self.silent => std::future::pending().await,
            true => Err(PayError::NoAnswer),
            false => Ok(()),
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), PayError> {
    let bank = Bank::losing(1);
    pay(&bank, "order 7", 42).await?;
    println!("to pay: 42, charged: {}", bank.total());
    pay(&bank, "order 8", 10).await?;
    println!("to pay: 52, charged: {}", bank.total());
    if let Err(error) = pay(&bank, "order 8", 99).await {
        println!("{error}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn again_after_a_lost_answer() {
        let bank = Bank::losing(1);
        pay(&bank, "7", 42).await.expect("the second answer arrives");
        assert_eq!(bank.calls.load(Ordering::Relaxed), 2);
        assert_eq!(bank.total(), 42);
    }

    #[tokio::test(start_paused = true)]
    async fn again_with_another_amount_is_refused() {
        let bank = Bank::default();
        pay(&bank, "7", 42).await.expect("charged");
        pay(&bank, "7", 42).await.expect("as before");
        let first = Err(PayError::OtherAmount { first: 42 });
        assert_eq!(pay(&bank, "7", 43).await, first);
        assert_eq!(bank.total(), 42);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_for_good_is_an_unknown_outcome() {
        let bank = Bank::losing(9);
        let paid = pay(&bank, "7", 42).await;
        assert_eq!(paid, Err(PayError::NoAnswer));
        assert_eq!(bank.calls.load(Ordering::Relaxed), 3);
        assert_eq!(bank.total(), 42);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_a_lost_answer() {
        let bank = Bank { silent: true, ..Bank::losing(2) };
        let paid = pay(&bank, "7", 42);
        let paid = hazards::within(Duration::from_secs(4), paid).await;
        assert_eq!(paid, Ok(()));
        assert_eq!(bank.total(), 42);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_and_again_charges_once() {
        hazards::at_every_poll(async |cancel| {
            let bank = Bank::losing(2);
            cancel.run(pay(&bank, "7", 42)).await;
            pay(&bank, "7", 42).await.expect("charged");
            assert_eq!(bank.total(), 42);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_zero_and_other_alphabets() {
        let bank = Bank::default();
        pay(&bank, "", 0).await.expect("nothing to charge");
        pay(&bank, "\u{17c}\u{f3}\u{142}w", 7).await.expect("charged");
        assert_eq!(bank.total(), 7);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_with_one_key_charge_once() {
        for round in 0..100 {
            let bank = Arc::new(Bank::default());
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..10 {
                let bank = Arc::clone(&bank);
                tasks.spawn(async move { pay(&bank, "7", 42).await });
            }
            for paid in tasks.join_all().await {
                assert_eq!(paid, Ok(()), "round {round}");
            }
            assert_eq!(bank.total(), 42, "round {round}");
        }
    }
}
