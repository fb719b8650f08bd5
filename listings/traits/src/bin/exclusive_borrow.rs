//! Hold a value across an `.await` by `&mut`, without `Sync`.

use std::cell::Cell;

use tokio::task::JoinSet;

// ANCHOR: rates
/// A source of exchange rates. It needn't be `Sync`, because its
/// method borrows it exclusively.
trait Rates: Send + 'static {
    fn rate(
        &mut self,
        currency: &str,
    ) -> impl Future<Output = Option<f64>> + Send;
}

/// Counts its calls in a `Cell`, which is `Send` but not `Sync`.
struct Counted {
    calls: Cell<u32>,
}

impl Rates for Counted {
    async fn rate(&mut self, currency: &str) -> Option<f64> {
        self.calls.set(self.calls.get() + 1);
        tokio::task::yield_now().await;
        (currency == "USD").then_some(0.9)
    }
}

/// Converts an amount to euros, or returns `None` if there's no rate.
async fn in_euros(rates: &mut impl Rates, usd: f64) -> Option<f64> {
    Some(usd * rates.rate("USD").await?)
}

/// Converts in a task, which owns `rates` and returns it. The caller
/// owns the set of tasks.
fn start<R: Rates>(
    tasks: &mut JoinSet<(R, Option<f64>)>,
    mut rates: R,
) {
    tasks.spawn(async move {
        let euros = in_euros(&mut rates, 100.0).await;
        (rates, euros)
    });
}
// ANCHOR_END: rates

#[tokio::main]
async fn main() -> Result<(), tokio::task::JoinError> {
    let mut tasks = JoinSet::new();
    start(&mut tasks, Counted { calls: Cell::new(0) });
    while let Some(converted) = tasks.join_next().await {
        let (rates, euros) = converted?;
        println!("euros: {euros:?}, calls: {}", rates.calls.get());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Never returns, or panics.
    struct Broken {
        panics: bool,
    }

    impl Rates for Broken {
        async fn rate(&mut self, _currency: &str) -> Option<f64> {
            assert!(!self.panics, "no rates");
            std::future::pending().await
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_it() {
        let mut tasks = JoinSet::new();
        for calls in 0..100 {
            start(&mut tasks, Counted { calls: Cell::new(calls) });
        }
        let ended = tasks.join_all().await;
        assert_eq!(ended.len(), 100);
        assert!(ended.iter().all(|(_, euros)| *euros == Some(90.0)));
        let calls: u32 = ended.iter().map(|it| it.0.calls.get()).sum();
        assert_eq!(calls, (1..=100).sum());
    }

    #[tokio::test]
    async fn edges_no_rate_and_amounts_that_are_no_price() {
        let mut rates = Counted { calls: Cell::new(0) };
        assert_eq!(rates.rate("").await, None);
        for usd in [0.0, -1.0, f64::INFINITY] {
            let euros = in_euros(&mut rates, usd).await;
            assert_eq!(euros, Some(usd * 0.9));
        }
    }

    #[tokio::test]
    async fn panic_is_an_error_for_the_owner() {
        let mut tasks = JoinSet::new();
        start(&mut tasks, Broken { panics: true });
        let ended = tasks.join_next().await.expect("a task");
        assert!(ended.is_err_and(|error| error.is_panic()));
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_tasks() {
        let mut tasks = JoinSet::new();
        start(&mut tasks, Broken { panics: false });
        tokio::task::yield_now().await;
        drop(tasks);
        hazards::no_task_left().await;
    }
}
