//! A cache with a size and a time to live, with moka.

// ANCHOR: prices
use std::{sync::Arc, time::Duration};

use moka::future::Cache;

struct Prices {
    backend: Backend,
    kept: Cache<u32, u32>,
}

impl Prices {
    fn new(time_to_live: Duration) -> Self {
        let kept = Cache::builder()
            .max_capacity(10_000)
            .time_to_live(time_to_live)
            .build();
        Self { backend: Backend::default(), kept }
    }

    /// One caller loads it, and the others wait. An error goes to all
    /// of them, and is not kept. On cancellation of the one who
    /// loads, another one begins again.
    async fn get(&self, product: u32) -> Result<u32, Arc<LoadError>> {
        let load = self.backend.load(product);
        self.kept.try_get_with(product, load).await
    }
}
// ANCHOR_END: prices

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::task::{JoinSet, yield_now};

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("product {0} has no price")]
struct LoadError(u32);

#[derive(Default)]
struct Backend {
    loads: AtomicU32,
}

impl Backend {
    async fn load(&self, product: u32) -> Result<u32, LoadError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        yield_now().await;
        if product == 0 { Err(LoadError(0)) } else { Ok(10 * product) }
    }
}

/// How often ten callers at once load it.
async fn ten_callers(product: u32) -> u32 {
    let prices = Arc::new(Prices::new(Duration::from_secs(3600)));
    let mut callers = JoinSet::new();
    for _ in 0..10 {
        let prices = Arc::clone(&prices);
        callers.spawn(async move { prices.get(product).await });
    }
    callers.join_all().await;
    prices.backend.loads.load(Ordering::Relaxed)
}

/// How often it is loaded by one who looks again when its time is over.
async fn looks_again() -> u32 {
    let prices = Prices::new(Duration::from_millis(1));
    prices.get(7).await.ok();
    while prices.kept.get(&7).await.is_some() {
        yield_now().await;
    }
    prices.get(7).await.ok();
    prices.backend.loads.load(Ordering::Relaxed)
}

/// How often it is loaded when the one who loads gives up.
async fn first_gives_up() -> u32 {
    let prices = Prices::new(Duration::from_secs(3600));
    let mut first = Box::pin(prices.get(7));
    assert!(futures::poll!(first.as_mut()).is_pending());
    let mut second = Box::pin(prices.get(7));
    assert!(futures::poll!(second.as_mut()).is_pending());
    drop(first);
    second.await.ok();
    prices.backend.loads.load(Ordering::Relaxed)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("ten callers:           {} load", ten_callers(7).await);
    println!("when its time is over: {} loads", looks_again().await);
    println!("the first gives up:    {} loads", first_gives_up().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_loaded_as_often_as_the_page_says() {
        assert_eq!(ten_callers(7).await, 1);
        assert_eq!(looks_again().await, 2);
        assert_eq!(first_gives_up().await, 2);
    }

    #[tokio::test]
    async fn an_error_is_not_kept() {
        let prices = Prices::new(Duration::from_secs(3600));
        assert!(prices.get(0).await.is_err());
        assert!(prices.get(0).await.is_err());
        assert_eq!(prices.backend.loads.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn with_several_threads_too() {
        assert_eq!(ten_callers(7).await, 1);
    }
}
