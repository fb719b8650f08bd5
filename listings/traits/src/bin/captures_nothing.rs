//! A trait's method returns a future that borrows nothing: `use<Self>`.

// ANCHOR: rates
use std::{collections::BTreeMap, sync::Arc};

use tokio::task::JoinSet;

/// A source of exchange rates.
trait Rates: 'static {
    /// Returns a future that borrows neither `self` nor `currency`.
    fn rate(
        &self,
        currency: &str,
    ) -> impl Future<Output = Option<f64>> + Send + use<Self>;
}

struct Fixed {
    rates: Arc<BTreeMap<String, f64>>,
}

impl Rates for Fixed {
    fn rate(
        &self,
        currency: &str,
    ) -> impl Future<Output = Option<f64>> + Send + use<> {
        // Runs now and reads what is borrowed.
        let rates = Arc::clone(&self.rates);
        let currency = currency.to_owned();
        // Runs when it's polled and owns what it needs.
        async move { rates.get(&currency).copied() }
    }
}

/// Fetches each rate in a task. The caller owns the set of tasks.
fn refresh(
    tasks: &mut JoinSet<Option<f64>>,
    rates: &impl Rates,
    currencies: &[String],
) {
    for currency in currencies {
        tasks.spawn(rates.rate(currency));
    }
}
// ANCHOR_END: rates

fn fixed() -> Fixed {
    let rates = [("JPY".to_owned(), 0.006), ("USD".to_owned(), 0.9)];
    Fixed { rates: Arc::new(rates.into()) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tokio::task::JoinError> {
    let mut tasks = JoinSet::new();
    {
        // Both are dropped before the tasks run.
        let currencies = ["USD".to_owned(), "XYZ".to_owned()];
        refresh(&mut tasks, &fixed(), &currencies);
    }
    while let Some(rate) = tasks.join_next().await {
        println!("rate: {:?}", rate?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Never returns, or panics. It isn't `Sync`.
    struct Broken {
        panics: Cell<bool>,
    }

    impl Rates for Broken {
        fn rate(
            &self,
            _currency: &str,
        ) -> impl Future<Output = Option<f64>> + Send + use<> {
            let panics = self.panics.get();
            async move {
                assert!(!panics, "no rates");
                std::future::pending().await
            }
        }
    }

    fn broken(panics: bool) -> Broken {
        Broken { panics: Cell::new(panics) }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_run_them_after_the_source_is_dropped() {
        let mut tasks = JoinSet::new();
        refresh(&mut tasks, &fixed(), &vec!["USD".to_owned(); 100]);
        assert_eq!(tasks.join_all().await, [Some(0.9); 100]);
    }

    #[tokio::test]
    async fn panic_is_an_error_for_the_owner() {
        let mut tasks = JoinSet::new();
        let currencies = ["USD".to_owned(), "JPY".to_owned()];
        refresh(&mut tasks, &broken(true), &currencies);
        refresh(&mut tasks, &fixed(), &currencies);
        let mut panics = 0;
        while let Some(rate) = tasks.join_next().await {
            match rate {
                Ok(rate) => assert!(rate.is_some()),
                Err(error) => panics += error.is_panic() as u32,
            }
        }
        assert_eq!(panics, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_tasks() {
        let mut tasks = JoinSet::new();
        refresh(&mut tasks, &broken(false), &["USD".to_owned()]);
        tokio::task::yield_now().await;
        drop(tasks);
        hazards::no_task_left().await;
    }

    #[tokio::test]
    async fn edges_no_currency_and_an_empty_one() {
        let mut tasks = JoinSet::new();
        refresh(&mut tasks, &fixed(), &[]);
        assert!(tasks.is_empty());
        refresh(&mut tasks, &fixed(), &[String::new()]);
        assert_eq!(tasks.join_all().await, [None]);
    }
}
