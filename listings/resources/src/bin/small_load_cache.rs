//! A bounded cache that loads each entry once, in a task that no caller cancels.

// ANCHOR: cache
use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt, Shared, lazy};
use moka::{future::Cache, policy::EvictionPolicy};
use tokio::{task::coop::unconstrained, time::timeout};
use tokio_util::task::AbortOnDropHandle;

/// All clones wait for the same load, and get its result.
type Load = Shared<BoxFuture<'static, Result<u32, LoadError>>>;

/// `Clone`, because several callers may get the same error.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
enum LoadError {
    #[error("product {0} has no price")]
    NoPrice(u32),
    #[error("loading the price of product {0} timed out")]
    TimedOut(u32),
    /// The load panicked, or the runtime is shutting down.
    #[error("cannot load product {0}: {1}")]
    Lost(u32, String),
}

struct Prices {
    backend: Arc<Backend>,
    loads: Cache<u32, Load>,
}

impl Prices {
    /// A price expires `time_to_live` after its load has started, so make
    /// that longer than a load takes.
    fn new(most: u64, time_to_live: Duration) -> Self {
        let loads = Cache::builder()
            .max_capacity(most)
            // moka's default policy may refuse new entries.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(time_to_live)
            .build();
        Self { backend: Arc::default(), loads }
    }
}
// ANCHOR_END: cache

// ANCHOR: get
impl Prices {
    /// Waits `LIMIT` at most. On cancellation, the load continues. If it
    /// fails, all waiting callers get the error, and the next call loads
    /// again.
    async fn get(&self, product: u32) -> Result<u32, LoadError> {
        let load = lazy(|_| self.start(product));
        let entry = self.loads.entry(product);
        let entry = entry.or_insert_with_if(load, has_failed).await;
        entry.into_value().await
    }

    /// The load is aborted with the cache. If its entry is evicted or
    /// expires, it may still run, for `LIMIT` at most.
    fn start(&self, product: u32) -> Load {
        let load = Arc::clone(&self.backend).load(product);
        let load = timeout(LIMIT, load);
        let task = AbortOnDropHandle::new(tokio::spawn(load));
        let load = async move {
            match task.await {
                Ok(Ok(loaded)) => loaded,
                Ok(Err(_)) => Err(LoadError::TimedOut(product)),
                Err(e) => Err(LoadError::Lost(product, e.to_string())),
            }
        };
        load.boxed().shared()
    }
}

/// Without `unconstrained`, a load that is done would look unfinished
/// to a caller that has used up its coop budget.
fn has_failed(load: &Load) -> bool {
    let ended = unconstrained(load.clone()).now_or_never();
    matches!(ended, Some(Err(_)))
}
// ANCHOR_END: get

const LIMIT: Duration = Duration::from_secs(10);

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::sleep;

#[derive(Default)]
struct Backend {
    loads: AtomicU32,
}

impl Backend {
    async fn load(
        self: Arc<Self>,
        product: u32,
    ) -> Result<u32, LoadError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        match product {
            0 => Err(LoadError::NoPrice(product)),
            13 => std::panic::resume_unwind(Box::new("a bug")),
            99 => std::future::pending().await,
            _ => Ok(10 * product),
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let prices = Prices::new(1000, Duration::from_secs(60));
    // Two callers want the same price, and the first one gives up.
    let first = timeout(Duration::from_millis(50), prices.get(7));
    println!("{:?}", tokio::join!(first, prices.get(7)));
    println!("loads: {}", prices.backend.loads.load(Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use hazards::{
        HOUR, at_every_poll, no_task_left, no_task_left_after, within,
    };
    use tokio::task::JoinSet;

    use super::*;

    type Price = Result<u32, LoadError>;

    /// Ten callers want the same price, and the first one gives up.
    async fn ten_callers(
        prices: &Arc<Prices>,
        product: u32,
    ) -> Vec<Price> {
        let mut callers = JoinSet::new();
        for number in 0..10 {
            let prices = Arc::clone(prices);
            let patience = if number == 0 { 50 } else { 60_000 };
            let patience = Duration::from_millis(patience);
            callers.spawn(async move {
                timeout(patience, prices.get(product)).await
            });
        }
        callers.join_all().await.into_iter().flatten().collect()
    }

    fn prices() -> Arc<Prices> {
        Arc::new(Prices::new(1000, HOUR))
    }

    fn loads(prices: &Prices) -> u32 {
        prices.backend.loads.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn overload_ten_callers_load_once() {
        let prices = prices();
        let got = ten_callers(&prices, 7).await;
        assert_eq!(got, vec![Ok(70); 9]);
        assert_eq!(prices.get(7).await, Ok(70));
        assert_eq!(loads(&prices), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_one_load() {
        at_every_poll(async |cancel| {
            let prices = prices();
            cancel.run(prices.get(7)).await;
            assert_eq!(within(HOUR, prices.get(7)).await, Ok(70));
            assert_eq!(loads(&prices), 1);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_all_callers_leaves_the_load_running() {
        let prices = prices();
        let short = Duration::from_millis(50);
        assert!(timeout(short, prices.get(7)).await.is_err());
        sleep(Duration::from_millis(100)).await;
        // It's there: this doesn't wait.
        assert_eq!(prices.get(7).now_or_never(), Some(Ok(70)));
        assert_eq!(loads(&prices), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_goes_to_all_and_is_not_kept() {
        let prices = prices();
        let got = ten_callers(&prices, 0).await;
        assert_eq!(got, vec![Err(LoadError::NoPrice(0)); 9]);
        assert_eq!(loads(&prices), 1);
        assert!(prices.get(0).await.is_err());
        assert_eq!(loads(&prices), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_load_reaches_all_callers() {
        let prices = prices();
        let got = ten_callers(&prices, 13).await;
        assert_eq!(got.len(), 9);
        for error in got {
            assert!(matches!(error, Err(LoadError::Lost(13, _))));
        }
        assert_eq!(within(HOUR, prices.get(7)).await, Ok(70));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_the_limit() {
        let prices = prices();
        let got = ten_callers(&prices, 99).await;
        assert_eq!(got, vec![Err(LoadError::TimedOut(99)); 9]);
        assert_eq!(loads(&prices), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_load_delays_no_other_key() {
        let prices = prices();
        let slow = prices.get(99);
        let quick = within(Duration::from_secs(1), prices.get(7));
        assert_eq!(tokio::join!(slow, quick).1, Ok(70));
    }

    /// Evicted while someone waits, the load finishes.
    #[tokio::test(start_paused = true)]
    async fn overload_of_keys_is_bounded() {
        let prices = Prices::new(3, HOUR);
        let all = (101..=150).map(|product| prices.get(product));
        let got = futures::future::join_all(all).await;
        assert!(got.iter().all(Result::is_ok));
        prices.loads.run_pending_tasks().await;
        assert!(prices.loads.entry_count() <= 3);
        // The newest are kept.
        assert_eq!(prices.get(150).await, Ok(1500));
        assert_eq!(loads(&prices), 50);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_aborts_the_loads() {
        let prices = prices();
        let short = Duration::from_millis(50);
        assert!(timeout(short, prices.get(99)).await.is_err());
        drop(prices);
        no_task_left().await;
    }

    /// moka may keep an evicted entry for a while, and its load with it.
    #[tokio::test(start_paused = true)]
    async fn silence_of_an_evicted_load_ends_at_the_limit() {
        let prices = Prices::new(3, HOUR);
        let short = Duration::from_millis(50);
        for product in 95..105 {
            let late = timeout(short, prices.get(product)).await;
            assert!(late.is_err());
        }
        prices.loads.run_pending_tasks().await;
        assert!(prices.loads.entry_count() <= 3);
        no_task_left_after(LIMIT).await;
        drop(prices);
    }

    /// moka's clock isn't Tokio's, and isn't paused.
    #[tokio::test]
    async fn clock_expires_a_price() {
        let prices = Prices::new(3, Duration::from_millis(300));
        assert_eq!(prices.get(7).await, Ok(70));
        assert_eq!(prices.get(7).await, Ok(70));
        assert_eq!(loads(&prices), 1);
        sleep(Duration::from_millis(400)).await;
        assert_eq!(prices.get(7).await, Ok(70));
        assert_eq!(loads(&prices), 2);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_load_once() {
        for _ in 0..20 {
            let prices = prices();
            assert!(ten_callers(&prices, 7).await.len() >= 9);
            assert_eq!(loads(&prices), 1);
        }
    }

    /// A caller without coop budget sees that a load has failed, even if
    /// nobody has waited for its end.
    #[tokio::test(start_paused = true)]
    async fn edges_of_the_coop_budget_and_no_capacity() {
        let prices = prices();
        let short = Duration::from_millis(50);
        assert!(timeout(short, prices.get(0)).await.is_err());
        sleep(2 * short).await;
        while tokio::task::coop::has_budget_remaining() {
            tokio::task::coop::consume_budget().await;
        }
        assert!(prices.get(0).await.is_err());
        assert_eq!(loads(&prices), 2);
        let none = Prices::new(0, HOUR);
        assert_eq!(within(HOUR, none.get(7)).await, Ok(70));
    }
}
