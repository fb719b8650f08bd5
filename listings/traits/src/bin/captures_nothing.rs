//! A trait's method returns a future that borrows nothing: `use<Self>`.

// ANCHOR: rates
use std::{collections::BTreeMap, sync::Arc};

use tokio_util::task::JoinMap;

/// A source of exchange rates.
trait Rates: 'static {
    /// Returns a future that borrows neither `self` nor `currency`.
    fn rate(
        &self,
        currency: &str,
    ) -> impl Future<Output = Option<f64>> + Send + use<Self>;
}

struct Fixed(Arc<BTreeMap<String, f64>>);

impl Rates for Fixed {
    fn rate(
        &self,
        currency: &str,
    ) -> impl Future<Output = Option<f64>> + Send + use<> {
        // Runs now and reads what is borrowed.
        let rates = Arc::clone(&self.0);
        let currency = currency.to_owned();
        // Runs when it's polled and owns what it needs.
        async move { rates.get(&currency).copied() }
    }
}

/// Fetches each rate in a task. It replaces the currency's last task,
/// even one that has finished. The caller owns the map of tasks.
fn refresh(
    tasks: &mut JoinMap<String, Option<f64>>,
    rates: &impl Rates,
    currencies: &[String],
) {
    for currency in currencies {
        tasks.spawn(currency.clone(), rates.rate(currency));
    }
}
// ANCHOR_END: rates

fn fixed() -> Fixed {
    let rates = [("JPY".to_owned(), 0.006), ("USD".to_owned(), 0.9)];
    Fixed(Arc::new(rates.into()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tokio::task::JoinError> {
    let mut tasks = JoinMap::new();
    {
        // Both are dropped before the tasks run.
        let currencies = ["USD".to_owned(), "XYZ".to_owned()];
        refresh(&mut tasks, &fixed(), &currencies);
    }
    while let Some((currency, rate)) = tasks.join_next().await {
        println!("{currency}: {:?}", rate?);
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
        let mut tasks = JoinMap::new();
        let currencies: Vec<_> =
            (0..100)
                .map(|it| {
                    if it == 50 { "USD".into() } else { it.to_string() }
                })
                .collect();
        refresh(&mut tasks, &fixed(), &currencies);
        let mut fetched = 0;
        while let Some((currency, rate)) = tasks.join_next().await {
            let known = (currency == "USD").then_some(0.9);
            assert_eq!(rate.expect("no panic"), known);
            fetched += 1;
        }
        assert_eq!(fetched, 100);
    }

    #[tokio::test]
    async fn panic_is_an_error_for_the_owner() {
        let mut tasks = JoinMap::new();
        refresh(&mut tasks, &broken(true), &["EUR".to_owned()]);
        refresh(&mut tasks, &fixed(), &["USD".to_owned()]);
        let mut ended = 0;
        while let Some((currency, rate)) = tasks.join_next().await {
            match rate {
                Ok(rate) => assert!(rate.is_some()),
                Err(error) => {
                    assert!(error.is_panic());
                    assert_eq!(currency, "EUR");
                }
            }
            ended += 1;
        }
        assert_eq!(ended, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_tasks() {
        let mut tasks = JoinMap::new();
        refresh(&mut tasks, &broken(false), &["USD".to_owned()]);
        tokio::task::yield_now().await;
        drop(tasks);
        hazards::no_task_left().await;
    }

    /// A source that hangs doesn't fill the map.
    #[tokio::test(start_paused = true)]
    async fn again_replaces_a_task_that_still_runs() {
        let mut tasks = JoinMap::new();
        let currencies = ["USD".to_owned(), "USD".to_owned()];
        for _ in 0..10 {
            refresh(&mut tasks, &broken(false), &currencies);
            tokio::task::yield_now().await;
        }
        assert_eq!(tasks.len(), 1);
        // The first of these has finished, and its rate is lost.
        for _ in 0..2 {
            refresh(&mut tasks, &fixed(), &currencies);
            tokio::task::yield_now().await;
        }
        let (currency, rate) = tasks.join_next().await.expect("one");
        assert_eq!(currency, "USD");
        assert_eq!(rate.expect("no panic"), Some(0.9));
        assert!(tasks.join_next().await.is_none());
        hazards::no_task_left().await;
    }

    #[tokio::test]
    async fn edges_no_currency_and_an_empty_one() {
        let mut tasks = JoinMap::new();
        refresh(&mut tasks, &fixed(), &[]);
        assert!(tasks.is_empty());
        refresh(&mut tasks, &fixed(), &[String::new()]);
        let (currency, rate) = tasks.join_next().await.expect("one");
        assert_eq!(currency, "");
        assert_eq!(rate.expect("no panic"), None);
    }
}
