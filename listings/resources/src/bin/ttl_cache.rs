//! A cache with a size limit and a time to live: moka.

// ANCHOR: prices
use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use tokio::time::timeout;

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

    /// One caller loads, and the others wait. All of them get an error,
    /// and it isn't kept. If the caller that loads is canceled or
    /// panics, the next caller restarts the load. A caller that has
    /// waited for 200 such loads panics.
    async fn get(&self, product: u32) -> Result<u32, Arc<LoadError>> {
        let load = async {
            let load = self.backend.load(product);
            let loaded = timeout(Duration::from_secs(10), load).await;
            loaded.unwrap_or(Err(LoadError::TimedOut(product)))
        };
        self.kept.try_get_with(product, load).await
    }
}
// ANCHOR_END: prices

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::task::{JoinSet, yield_now};

#[derive(Debug, PartialEq, thiserror::Error)]
enum LoadError {
    #[error("product {0} has no price")]
    NoPrice(u32),
    #[error("loading the price of product {0} timed out")]
    TimedOut(u32),
}

#[derive(Default)]
struct Backend {
    loads: AtomicU32,
}

impl Backend {
    async fn load(&self, product: u32) -> Result<u32, LoadError> {
        let load = self.loads.fetch_add(1, Ordering::Relaxed);
        yield_now().await;
        match product {
            0 => Err(LoadError::NoPrice(0)),
            13 if load == 0 => panic!("a bug in the load"),
            99 => std::future::pending().await,
            _ => Ok(10 * product),
        }
    }
}

/// How often ten callers at the same time load it.
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

/// How often it's loaded by a caller that comes again when its time is
/// over.
async fn looks_again() -> u32 {
    let prices = Prices::new(Duration::from_millis(1));
    prices.get(7).await.ok();
    while prices.kept.get(&7).await.is_some() {
        yield_now().await;
    }
    prices.get(7).await.ok();
    prices.backend.loads.load(Ordering::Relaxed)
}

/// How often the price is loaded if the loading caller gives up.
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
    println!("after it has expired:  {} loads", looks_again().await);
    println!("the first gives up:    {} loads", first_gives_up().await);
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    fn prices() -> Prices {
        Prices::new(HOUR)
    }

    fn loads(prices: &Prices) -> u32 {
        prices.backend.loads.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn overload_ten_callers() {
        assert_eq!(ten_callers(7).await, 1);
    }

    #[tokio::test]
    async fn clock_loads_again_when_the_time_is_over() {
        assert_eq!(looks_again().await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_hands_the_load_to_the_next() {
        assert_eq!(first_gives_up().await, 2);
        at_every_poll(async |cancel| {
            let prices = prices();
            cancel.run(prices.get(7)).await;
            let price = within(HOUR, prices.get(7)).await;
            assert_eq!(price, Ok(70));
            assert!(loads(&prices) <= 2);
        })
        .await;
    }

    #[tokio::test]
    async fn failure_is_not_kept() {
        let prices = prices();
        for _ in 0..2 {
            let error = prices.get(0).await.expect_err("it has none");
            assert_eq!(error.to_string(), "product 0 has no price");
        }
        assert_eq!(loads(&prices), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error_for_all() {
        let prices = prices();
        let two =
            async { tokio::join!(prices.get(99), prices.get(99)) };
        let (one, other) = within(HOUR, two).await;
        assert_eq!(one, Err(LoadError::TimedOut(99).into()));
        assert_eq!(other, one);
        assert_eq!(loads(&prices), 1);
    }

    /// The backend is silent, so the callers give up one after another,
    /// most of them after they have waited for more than 200 loads.
    #[tokio::test(start_paused = true)]
    async fn overload_of_callers_that_give_up_panics() {
        for (count, is_too_many) in [(190, false), (400, true)] {
            let prices = Arc::new(prices());
            let mut callers = JoinSet::new();
            for nth in 0..count {
                let prices = Arc::clone(&prices);
                callers.spawn(async move {
                    let patience = Duration::from_millis(100 + nth);
                    timeout(patience, prices.get(99)).await.is_err()
                });
            }
            let mut panics = 0;
            while let Some(ended) = callers.join_next().await {
                panics += u32::from(ended.is_err());
            }
            assert_eq!(panics > 0, is_too_many, "{count}: {panics}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_hands_the_load_to_the_next() {
        let prices = Arc::new(prices());
        let mut callers = JoinSet::new();
        for _ in 0..3 {
            let prices = Arc::clone(&prices);
            callers.spawn(async move { prices.get(13).await });
        }
        let (mut good, mut panics) = (0, 0);
        while let Some(ended) = callers.join_next().await {
            match ended {
                Ok(price) => good += u32::from(price == Ok(130)),
                Err(error) => panics += u32::from(error.is_panic()),
            }
        }
        assert_eq!((good, panics), (2, 1));
    }

    #[tokio::test]
    async fn again_loads_once() {
        let prices = prices();
        assert_eq!(prices.get(7).await, prices.get(7).await);
        assert_eq!(loads(&prices), 1);
    }

    #[tokio::test]
    async fn edges_the_size_is_kept() {
        let prices = prices();
        for product in 20_000..40_000 {
            prices.get(product).await.expect("it has a price");
        }
        prices.kept.run_pending_tasks().await;
        assert!(prices.kept.entry_count() <= 10_000);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_one_load() {
        assert_eq!(ten_callers(7).await, 1);
    }
}
