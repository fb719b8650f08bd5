//! A table that is mostly read, behind std's RwLock.

// ANCHOR: rates
use std::{collections::HashMap, sync::RwLock};

/// Exchange rates, in cents. Many read, and seldom one writes.
#[derive(Default)]
struct Rates {
    by_currency: RwLock<HashMap<&'static str, u32>>,
}

impl Rates {
    /// Copies it out. No guard leaves this type.
    fn get(&self, currency: &str) -> Option<u32> {
        let rates = self.by_currency.read().expect("no panic in here");
        rates.get(currency).copied()
    }

    /// Loads first, and locks for as long as a swap takes.
    async fn reload(&self) {
        let loaded = load().await;
        *self.by_currency.write().expect("no panic in here") = loaded;
    }
}
// ANCHOR_END: rates

use std::time::Duration;

use tokio::time::sleep;

async fn load() -> HashMap<&'static str, u32> {
    sleep(Duration::from_millis(100)).await;
    HashMap::from([("USD", 108), ("JPY", 16_000)])
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let rates = Rates::default();
    println!("before: {:?}", rates.get("USD"));
    let read_meanwhile = async {
        sleep(Duration::from_millis(50)).await;
        println!("while it loads: {:?}", rates.get("USD"));
    };
    tokio::join!(rates.reload(), read_meanwhile);
    println!("after:  {:?}", rates.get("USD"));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn dropped_it_changes_nothing() {
        let rates = Rates::default();
        let limit = Duration::from_millis(50);
        let reload = rates.reload();
        assert!(tokio::time::timeout(limit, reload).await.is_err());
        assert_eq!(rates.get("USD"), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn all_read_while_it_is_replaced() {
        let rates = Arc::new(Rates::default());
        rates.reload().await;
        let mut tasks = JoinSet::new();
        for number in 0..50 {
            let rates = Arc::clone(&rates);
            tasks.spawn(async move {
                if number % 10 == 0 {
                    rates.reload().await;
                }
                rates.get("JPY")
            });
        }
        assert_eq!(tasks.join_all().await, [Some(16_000); 50]);
    }
}
