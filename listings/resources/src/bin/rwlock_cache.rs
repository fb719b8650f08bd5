//! A table that is mostly read, behind std's RwLock.

// ANCHOR: rates
use std::{collections::HashMap, io, sync::RwLock, time::Duration};

use tokio::time::timeout;

/// Exchange rates, in cents. Many requests read, and now and then one
/// task writes.
#[derive(Default)]
struct Rates {
    bank: Bank,
    by_currency: RwLock<HashMap<&'static str, u32>>,
    /// One reload at a time, so an older answer can't overwrite a
    /// newer one.
    reloading: tokio::sync::Mutex<()>,
}

impl Rates {
    /// Copies the rate. No guard leaves this type.
    fn get(&self, currency: &str) -> Option<u32> {
        let rates = self.by_currency.read().expect("no panic in here");
        rates.get(currency).copied()
    }

    /// Loads first, and locks only for the swap. The old rates stay
    /// after an error, a timeout, or a cancellation.
    async fn reload(&self) -> io::Result<()> {
        // One limit covers both the turn and the load, so the waits of
        // queued callers don't add up.
        timeout(Duration::from_secs(10), async {
            let _turn = self.reloading.lock().await;
            let loaded = self.bank.load().await?;
            *self.by_currency.write().expect("no panic in here") =
                loaded;
            Ok(())
        })
        .await?
    }
}
// ANCHOR_END: rates

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use tokio::time::sleep;

/// The first answer takes a second, and later ones 100 ms.
#[derive(Default)]
struct Bank {
    loads: AtomicU32,
    is_silent: bool,
    is_down: bool,
    is_broken: bool,
}

impl Bank {
    async fn load(&self) -> io::Result<HashMap<&'static str, u32>> {
        let load = self.loads.fetch_add(1, Relaxed);
        if self.is_silent {
            std::future::pending::<()>().await;
        }
        let takes = if load == 0 { 1000 } else { 100 };
        sleep(Duration::from_millis(takes)).await;
        assert!(!self.is_broken, "a bug in the client of the bank");
        if self.is_down {
            return Err(io::Error::other("the bank is down"));
        }
        Ok(HashMap::from([("USD", 108 + load), ("JPY", 16_000)]))
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let rates = Rates::default();
    println!("before: {:?}", rates.get("USD"));
    let read_meanwhile = async {
        sleep(Duration::from_millis(50)).await;
        println!("while it loads: {:?}", rates.get("USD"));
    };
    let (reloaded, ()) = tokio::join!(rates.reload(), read_meanwhile);
    reloaded?;
    println!("after:  {:?}", rates.get("USD"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_changes_nothing() {
        at_every_poll(async |cancel| {
            let rates = Rates::default();
            let done = cancel.run(rates.reload()).await.is_some();
            assert_eq!(rates.get("USD").is_some(), done);
            assert!(within(HOUR, rates.reload()).await.is_ok());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_bank_ends_with_an_error() {
        let bank = Bank { is_silent: true, ..Bank::default() };
        let rates = Rates { bank, ..Rates::default() };
        let two = async {
            let (one, other) =
                tokio::join!(rates.reload(), rates.reload());
            one.is_err() && other.is_err()
        };
        assert!(within(HOUR, two).await);
        let all = (0..50).map(|_| rates.reload());
        let all = futures::future::join_all(all);
        let all = within(Duration::from_secs(11), all).await;
        assert!(all.iter().all(Result::is_err));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_keeps_the_old_rates() {
        let mut rates = Rates::default();
        assert!(rates.reload().await.is_ok());
        rates.bank.is_down = true;
        let error = rates.reload().await.expect_err("it is down");
        assert_eq!(error.to_string(), "the bank is down");
        assert_eq!(rates.get("USD"), Some(108));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_do_not_overwrite_newer_ones() {
        let rates = Rates::default();
        let two = tokio::join!(rates.reload(), rates.reload());
        assert!(two.0.is_ok() && two.1.is_ok());
        assert_eq!(rates.get("USD"), Some(109));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_read_while_it_is_replaced() {
        let rates = Arc::new(Rates::default());
        assert!(rates.reload().await.is_ok());
        let mut tasks = JoinSet::new();
        for number in 0..50 {
            let rates = Arc::clone(&rates);
            tasks.spawn(async move {
                if number % 10 == 0 {
                    assert!(rates.reload().await.is_ok());
                }
                rates.get("JPY")
            });
        }
        assert_eq!(tasks.join_all().await, [Some(16_000); 50]);
    }

    #[test]
    fn edges_of_a_currency() {
        assert_eq!(Rates::default().get(""), None);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_bank_keeps_the_old_rates() {
        let mut rates = Rates::default();
        assert!(rates.reload().await.is_ok());
        rates.bank.is_broken = true;
        let rates = Arc::new(rates);
        let task = Arc::clone(&rates);
        let panics = tokio::spawn(async move { task.reload().await });
        assert!(panics.await.is_err());
        assert_eq!(rates.get("USD"), Some(108));
        // The turn is free again.
        assert!(rates.reloading.try_lock().is_ok());
    }
}
