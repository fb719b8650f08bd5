//! Call the service that is ready, without a clone or a box.

// ANCHOR: call
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use tower::Service;

/// Counts the orders that it passes on.
#[derive(Clone)]
struct Counting<S> {
    inner: S,
    /// Shared, because a server clones the service for every
    /// connection, every request, or both.
    count: Arc<AtomicU64>,
}

impl<S: Service<u32>> Service<u32> for Counting<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, order: u32) -> S::Future {
        self.count.fetch_add(1, Relaxed);
        self.inner.call(order)
    }
}
// ANCHOR_END: call

use std::convert::Infallible;

use tokio::task::JoinSet;
use tower::{ServiceExt, limit::ConcurrencyLimit, service_fn};

/// Sends orders concurrently through a limit of one, each through its
/// own clone of the service. Returns their prices and the count.
async fn ask(orders: u32) -> (Vec<u32>, u64) {
    let prices = service_fn(async |order: u32| {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(order * 100)
    });
    let inner = ConcurrencyLimit::new(prices, 1);
    let service = Counting { inner, count: Arc::default() };
    let mut calls = JoinSet::new();
    for order in 1..=orders {
        calls.spawn(service.clone().oneshot(order));
    }
    let mut prices: Vec<u32> = Vec::new();
    for price in calls.join_all().await {
        prices.extend(price);
    }
    prices.sort_unstable();
    (prices, service.count.load(Relaxed))
}

#[tokio::main]
async fn main() {
    let (prices, count) = ask(3).await;
    println!("prices: {prices:?}, counted: {count}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_passes_each_order_through_the_limit() {
        assert_eq!(ask(3).await, (vec![100, 200, 300], 3));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_count_each_order() {
        let (prices, count) = ask(1000).await;
        assert_eq!((prices.len(), count), (1000, 1000));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_bounded_by_a_timeout_around_both_steps() {
        let second = std::time::Duration::from_secs(1);
        let silent = service_fn(async |_order: u32| {
            std::future::pending::<Result<u32, Infallible>>().await
        });
        let inner = ConcurrencyLimit::new(silent, 1);
        let mut service = Counting { inner, count: Arc::default() };
        let keeps = tokio::spawn(service.clone().oneshot(7));
        tokio::task::yield_now().await;
        // The service isn't ready: the wait comes before the call.
        let ready = tokio::time::timeout(second, service.ready());
        assert!(ready.await.is_err());
        let calls = service.clone().oneshot(8);
        assert!(tokio::time::timeout(second, calls).await.is_err());
        assert_eq!(service.count.load(Relaxed), 1);
        keeps.abort();
        let ready = tokio::time::timeout(second, service.ready());
        assert!(ready.await.is_ok());
    }

    #[tokio::test]
    async fn cancel_gives_the_permit_back() {
        let prices = service_fn(async |order: u32| {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(order * 100)
        });
        let inner = ConcurrencyLimit::new(prices, 1);
        let service = Counting { inner, count: Arc::default() };
        hazards::at_every_poll(async |cancel| {
            cancel.run(service.clone().oneshot(7)).await;
            assert_eq!(service.clone().oneshot(8).await, Ok(800));
        })
        .await;
    }
}
