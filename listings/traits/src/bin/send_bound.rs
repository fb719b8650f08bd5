//! Declare a trait's futures `Send`, so generic code can spawn them.

// ANCHOR: rates
use std::sync::Arc;

use tokio::task::JoinSet;

/// A source of exchange rates.
trait Rates: Send + Sync + 'static {
    fn rate(
        &self,
        currency: &str,
    ) -> impl Future<Output = Option<f64>> + Send;
}

struct Fixed;

impl Rates for Fixed {
    // An ordinary `async fn`. The compiler checks here, where the
    // mistake would be, that its future is `Send`.
    async fn rate(&self, currency: &str) -> Option<f64> {
        (currency == "USD").then_some(0.9)
    }
}

/// Fetches a rate in a task. The caller owns the set of tasks.
fn refresh<R: Rates>(tasks: &mut JoinSet<Option<f64>>, rates: Arc<R>) {
    tasks.spawn(async move { rates.rate("USD").await });
}
// ANCHOR_END: rates

#[tokio::main]
async fn main() -> Result<(), tokio::task::JoinError> {
    let mut tasks = JoinSet::new();
    refresh(&mut tasks, Arc::new(Fixed));
    while let Some(rate) = tasks.join_next().await {
        println!("rate: {:?}", rate?);
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
        async fn rate(&self, _currency: &str) -> Option<f64> {
            assert!(!self.panics, "no rates");
            std::future::pending().await
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_it() {
        let mut tasks = JoinSet::new();
        for _ in 0..100 {
            refresh(&mut tasks, Arc::new(Fixed));
        }
        assert_eq!(tasks.join_all().await, [Some(0.9); 100]);
    }

    #[tokio::test]
    async fn panic_of_an_implementation_is_seen_by_the_owner() {
        let mut tasks = JoinSet::new();
        refresh(&mut tasks, Arc::new(Broken { panics: true }));
        let ended = tasks.join_next().await.expect("a task");
        assert!(ended.is_err_and(|error| error.is_panic()));
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_task() {
        let mut tasks = JoinSet::new();
        refresh(&mut tasks, Arc::new(Broken { panics: false }));
        tokio::task::yield_now().await;
        drop(tasks);
        hazards::no_task_left().await;
    }
}
