//! A cache whose entries are loaded once, whoever gives up.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
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

/// All who clone it wait for the same load, and get its result.
type Load = Shared<BoxFuture<'static, Result<u32, LoadError>>>;

impl Prices {
    /// On cancellation, the load goes on. A failure goes to all who
    /// wait for it, and is not kept.
    async fn get(&self, product: u32) -> Result<u32, LoadError> {
        let load = self
            .loads()
            .entry(product)
            .or_insert_with(|| self.start(product))
            .clone();
        let price = load.clone().await;
        if price.is_err() {
            // This one, and not a newer one that somebody started.
            self.loads().retain(|_, kept| !kept.ptr_eq(&load));
        }
        price
    }

    /// Loads in a task: it ends with the cache, not with a caller.
    fn start(&self, product: u32) -> Load {
        let load = Arc::clone(&self.backend).load(product);
        let task = AbortOnDropHandle::new(tokio::spawn(load));
        async move { task.await.unwrap_or(Err(LoadError::Panicked)) }
            .boxed()
            .shared()
    }
}
// ANCHOR_END: get

// ANCHOR: state
#[derive(Default)]
struct Prices {
    backend: Arc<Backend>,
    /// Those that are loading, and those that are there.
    loads: Mutex<HashMap<u32, Load>>,
}

/// All who wait get it, so it can be cloned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
enum LoadError {
    #[error("product {0} has no price")]
    NoPrice(u32),
    #[error("the load has panicked")]
    Panicked,
}
// ANCHOR_END: state

impl Prices {
    fn loads(&self) -> MutexGuard<'_, HashMap<u32, Load>> {
        self.loads.lock().expect("no panic in here")
    }
}

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
            13 => panic!("a bug in the load of product 13"),
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
    use super::*;

    fn loads(prices: &Prices) -> u32 {
        prices.backend.loads.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn one_load_for_all_though_the_first_gives_up() {
        let prices = Arc::default();
        let got = ten_callers(&prices, 7).await;
        assert_eq!(got, vec![Ok(70); 9]);
        assert_eq!(prices.get(7).await, Ok(70));
        assert_eq!(loads(&prices), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_for_all_and_is_not_kept() {
        let prices = Arc::default();
        let got = ten_callers(&prices, 0).await;
        assert_eq!(got, vec![Err(LoadError::NoPrice(0)); 9]);
        assert_eq!(loads(&prices), 1);
        assert!(prices.loads().is_empty());
        assert!(prices.get(0).await.is_err());
        assert_eq!(loads(&prices), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_an_error_for_all() {
        let prices = Arc::default();
        let got = ten_callers(&prices, 13).await;
        assert_eq!(got, vec![Err(LoadError::Panicked); 9]);
        assert!(prices.loads().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_when_all_have_given_up() {
        let prices = Prices::default();
        let limit = Duration::from_millis(50);
        assert!(timeout(limit, prices.get(7)).await.is_err());
        sleep(Duration::from_millis(100)).await;
        // It is there: this does not wait.
        assert_eq!(prices.get(7).now_or_never(), Some(Ok(70)));
        assert_eq!(loads(&prices), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_nobody_awaited_is_told_once() {
        let prices = Prices::default();
        let limit = Duration::from_millis(50);
        assert!(timeout(limit, prices.get(0)).await.is_err());
        sleep(Duration::from_millis(100)).await;
        let told = prices.get(0).now_or_never();
        assert_eq!(told, Some(Err(LoadError::NoPrice(0))));
        assert_eq!(prices.get(0).now_or_never(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_cache() {
        let prices = Prices::default();
        let backend = Arc::clone(&prices.backend);
        let limit = Duration::from_millis(50);
        assert!(timeout(limit, prices.get(7)).await.is_err());
        assert_eq!(Arc::strong_count(&backend), 3);
        drop(prices);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(Arc::strong_count(&backend), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn with_several_threads_too() {
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
