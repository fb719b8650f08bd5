//! A task refreshes the value each minute, and no request waits.

// ANCHOR: rates
use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

struct Rates {
    newest: Arc<ArcSwap<u32>>,
    _refresh: AbortOnDropHandle<()>,
}

impl Rates {
    /// Loads once, so that there is a value. After that, a task does,
    /// which ends with this.
    async fn start(bank: Bank) -> Result<Self, LoadError> {
        let rate = bank.load().await?;
        let newest = Arc::new(ArcSwap::from_pointee(rate));
        let refresh = refresh(bank, Arc::clone(&newest));
        let task = AbortOnDropHandle::new(tokio::spawn(refresh));
        Ok(Self { newest, _refresh: task })
    }
}

async fn refresh(bank: Bank, newest: Arc<ArcSwap<u32>>) {
    let mut each_minute = interval(Duration::from_secs(60));
    each_minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
    each_minute.tick().await; // The first one comes at once.
    loop {
        each_minute.tick().await;
        match bank.load().await {
            Ok(rate) => newest.store(Arc::new(rate)),
            Err(error) => println!("the old one stays: {error}"),
        }
    }
}
// ANCHOR_END: rates

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::sleep;

#[derive(Debug, thiserror::Error)]
#[error("load {0} has failed")]
struct LoadError(u32);

#[derive(Default)]
struct Bank {
    loads: Arc<AtomicU32>,
}

impl Bank {
    /// The second one fails.
    async fn load(&self) -> Result<u32, LoadError> {
        let load = 1 + self.loads.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_secs(2)).await;
        if load == 2 { Err(LoadError(load)) } else { Ok(100 + load) }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), LoadError> {
    let rates = Rates::start(Bank::default()).await?;
    for _ in 0..3 {
        println!("rate {}", rates.newest.load());
        sleep(Duration::from_secs(65)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failure_keeps_the_old_one() -> Result<(), LoadError> {
        let rates = Rates::start(Bank::default()).await?;
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(**rates.newest.load());
            sleep(Duration::from_secs(65)).await;
        }
        assert_eq!(seen, [101, 101, 103]);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_ends_with_the_rates() -> Result<(), LoadError> {
        let bank = Bank::default();
        let loads = Arc::clone(&bank.loads);
        drop(Rates::start(bank).await?);
        sleep(Duration::from_secs(600)).await;
        assert_eq!(loads.load(Ordering::Relaxed), 1);
        assert_eq!(Arc::strong_count(&loads), 1);
        Ok(())
    }
}
