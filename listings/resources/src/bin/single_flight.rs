//! A cache that loads each entry once, even if the first caller gives up.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

// ANCHOR: get
use futures::future::{BoxFuture, FutureExt, Shared};
use tokio_util::task::AbortOnDropHandle;

impl Prices {
    /// Waits ten seconds at most. On cancellation, the load continues.
    /// If the load fails, all waiting callers get the error, and the
    /// next call loads again.
    async fn get(&self, product: u32) -> Result<u32, LoadError> {
        self.load_of(product).await
    }

    fn load_of(&self, product: u32) -> Load {
        let mut loads = self.loads.lock().expect("no panic in here");
        // After a load that has failed, a new one starts.
        if let Some(load) = loads.get(&product)
            && !has_failed(load)
        {
            return load.clone();
        }
        let load = self.start(product);
        loads.insert(product, load.clone());
        load
    }

    /// Loads in a task that is aborted with the cache, not a caller.
    fn start(&self, product: u32) -> Load {
        let load = Arc::clone(&self.backend).load(product);
        let load = timeout(Duration::from_secs(10), load);
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
// ANCHOR_END: get

// ANCHOR: state
use tokio::task::coop::unconstrained;

/// All clones wait for the same load, and get its result.
type Load = Shared<BoxFuture<'static, Result<u32, LoadError>>>;

/// Without `unconstrained`, a load that is done would look unfinished
/// to a caller that has used up its coop budget.
fn has_failed(load: &Load) -> bool {
    let ended = unconstrained(load.clone()).now_or_never();
    matches!(ended, Some(Err(_)))
}

#[derive(Default)]
struct Prices {
    backend: Arc<Backend>,
    /// Loads that are running, and loads that are done. A price never
    /// expires, and the map never shrinks.
    loads: Mutex<HashMap<u32, Load>>,
}

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
// ANCHOR_END: state

#[derive(Default)]
struct Backend {
    loads: AtomicU32,
}

impl Backend {
    async fn load(self: Arc<Self>, product: u32) -> Price {
        self.loads.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        match product {
            0 => Err(LoadError::NoPrice(product)),
            13 => panic!("a bug in the load"),
            99 => std::future::pending().await,
            _ => Ok(10 * product),
        }
    }
}

type Price = Result<u32, LoadError>;

/// Ten callers want the same price, and the first gives up.
async fn ten_callers(prices: &Arc<Prices>, product: u32) -> Vec<Price> {
    let mut callers = JoinSet::new();
    for number in 0..10 {
        let prices = Arc::clone(prices);
        let patience = if number == 0 { 50 } else { 500 };
        let patience = Duration::from_millis(patience);
        callers.spawn(async move {
            timeout(patience, prices.get(product)).await
        });
    }
    callers.join_all().await.into_iter().flatten().collect()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let prices = Arc::new(Prices::default());
    let got = ten_callers(&prices, 7).await;
    println!("one gave up, {} have a price", got.len());
    println!("loads: {}", prices.backend.loads.load(Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    fn loads(prices: &Prices) -> u32 {
        prices.backend.loads.load(Ordering::Relaxed)
    }

    /// A caller that gives up after 50 ms.
    async fn impatient(prices: &Prices, product: u32) {
        let limit = Duration::from_millis(50);
        assert!(timeout(limit, prices.get(product)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn overload_ten_callers() {
        let prices = Arc::default();
        let got = ten_callers(&prices, 7).await;
        assert_eq!(got, vec![Ok(70); 9]);
        assert_eq!(prices.get(7).await, Ok(70));
        assert_eq!(loads(&prices), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_one_load() {
        at_every_poll(async |cancel| {
            let prices = Prices::default();
            cancel.run(prices.get(7)).await;
            assert_eq!(within(HOUR, prices.get(7)).await, Ok(70));
            assert_eq!(loads(&prices), 1);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_all_callers_leaves_the_load_running() {
        let prices = Prices::default();
        impatient(&prices, 7).await;
        sleep(Duration::from_millis(100)).await;
        // It's there: this doesn't wait.
        assert_eq!(prices.get(7).now_or_never(), Some(Ok(70)));
        assert_eq!(loads(&prices), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_goes_to_all_and_is_not_kept() {
        let prices = Arc::default();
        let got = ten_callers(&prices, 0).await;
        assert_eq!(got, vec![Err(LoadError::NoPrice(0)); 9]);
        assert_eq!(loads(&prices), 1);
        assert!(prices.get(0).await.is_err());
        assert_eq!(loads(&prices), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_that_nobody_awaited_is_not_kept() {
        let prices = Prices::default();
        impatient(&prices, 0).await;
        sleep(HOUR).await;
        impatient(&prices, 0).await;
        assert_eq!(loads(&prices), 2);
    }

    /// The caller has used up its cooperative budget.
    #[tokio::test(start_paused = true)]
    async fn failure_is_not_kept_without_a_budget() {
        let prices = Prices::default();
        impatient(&prices, 0).await;
        sleep(HOUR).await;
        while tokio::task::coop::has_budget_remaining() {
            let spend = tokio::task::coop::consume_budget();
            if spend.now_or_never().is_none() {
                break;
            }
        }
        drop(prices.load_of(0));
        assert_eq!(loads(&prices), 1, "the new load hasn't started");
        sleep(HOUR).await;
        assert_eq!(loads(&prices), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_an_error_for_all() {
        let prices = Arc::default();
        let got = ten_callers(&prices, 13).await;
        assert_eq!(got.len(), 9);
        for price in got {
            let error = price.expect_err("it has panicked").to_string();
            assert!(error.contains("product 13"), "{error}");
            assert!(error.contains("a bug in the load"), "{error}");
        }
        // Other products still load.
        assert_eq!(prices.get(7).await, Ok(70));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_for_all_and_is_not_kept() {
        let prices = Prices::default();
        let two =
            async { tokio::join!(prices.get(99), prices.get(99)) };
        let error = Err(LoadError::TimedOut(99));
        let got = within(HOUR, two).await;
        assert_eq!(got, (error.clone(), error));
        assert_eq!(loads(&prices), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_load() {
        let prices = Prices::default();
        impatient(&prices, 99).await;
        drop(prices);
        within(Duration::from_secs(1), no_task_left()).await;
    }

    #[tokio::test]
    async fn again_loads_once() {
        let prices = Prices::default();
        assert_eq!(prices.get(7).await, prices.get(7).await);
        assert_eq!(loads(&prices), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_five_loads() {
        let prices = Arc::new(Prices::default());
        let mut callers = JoinSet::new();
        for number in 0..200 {
            let prices = Arc::clone(&prices);
            callers
                .spawn(async move { prices.get(1 + number % 5).await });
        }
        let got = callers.join_all().await;
        let sum: u32 = got.into_iter().flatten().sum();
        assert_eq!(sum, 40 * (10 + 20 + 30 + 40 + 50));
        assert_eq!(loads(&prices), 5);
    }
}
