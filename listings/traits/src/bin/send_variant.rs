//! Generate two traits from one: with `Send` futures, and without.

// ANCHOR: rates
use std::{rc::Rc, sync::Arc};

/// A source of exchange rates.
#[trait_variant::make(Rates: Send + Sync)]
trait LocalRates {
    async fn rate(&self, currency: &str) -> Option<f64>;

    async fn known(&self) -> Vec<String>;
}

/// For a server, which spawns the futures.
struct Fixed(f64);

impl Rates for Fixed {
    async fn rate(&self, _currency: &str) -> Option<f64> {
        Some(self.0)
    }

    async fn known(&self) -> Vec<String> {
        vec!["USD".to_owned()]
    }
}

/// For a single-threaded tool, which may use `Rc`.
struct Cached(Rc<f64>);

impl LocalRates for Cached {
    async fn rate(&self, _currency: &str) -> Option<f64> {
        Some(*self.0)
    }

    async fn known(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Accepts both, because every `Rates` is a `LocalRates`, too.
async fn rate_of_first(rates: &impl LocalRates) -> Option<f64> {
    rates.rate(rates.known().await.first()?).await
}
// ANCHOR_END: rates

use tokio::task::JoinError;

async fn spawned(
    rates: Arc<impl Rates + 'static>,
) -> Result<Option<f64>, JoinError> {
    let task = async move { rates.rate("USD").await };
    tokio::spawn(task).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let fixed = Arc::new(Fixed(0.9));
    println!("spawned: {:?}", spawned(fixed.clone()).await?);
    println!("by reference: {:?}", rate_of_first(&*fixed).await);
    let cached = Cached(Rc::new(0.8));
    println!("on one thread: {:?}", rate_of_first(&cached).await);
    println!("of USD: {:?}", cached.rate("USD").await);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_the_sent_kind() {
        let rate = spawned(Arc::new(Fixed(0.9))).await;
        assert_eq!(rate.expect("no panic"), Some(0.9));
    }

    #[tokio::test]
    async fn edges_both_kinds_and_no_currency() {
        assert_eq!(rate_of_first(&Fixed(0.9)).await, Some(0.9));
        assert_eq!(rate_of_first(&Cached(Rc::new(0.8))).await, None);
    }
}
