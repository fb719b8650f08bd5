//! Await before the inner call: move the ready service into the
//! future and leave a clone in its place.

// ANCHOR: call
use std::{
    mem,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use tower::Service;

/// Checks every order before the inner call.
#[derive(Clone)]
struct Checked<S> {
    inner: S,
}

impl<S> Service<u32> for Checked<S>
where
    S: Service<u32, Future: Send> + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, order: u32) -> Self::Future {
        let clone = self.inner.clone();
        // This service has the permit. The clone gets its own permit
        // at the next `poll_ready`.
        let mut inner = mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            check(order).await;
            inner.call(order).await
        })
    }
}
// ANCHOR_END: call

use std::convert::Infallible;

use tokio::task::JoinSet;
use tower::{ServiceExt, limit::ConcurrencyLimit, service_fn};

/// Stands for a lookup that awaits.
async fn check(_order: u32) {
    tokio::task::yield_now().await;
}

/// Sends orders concurrently through a limit of one, each through its
/// own clone of the service. Returns their prices.
async fn ask(orders: u32) -> Vec<u32> {
    let prices = service_fn(async |order: u32| {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(order * 100)
    });
    let service = Checked { inner: ConcurrencyLimit::new(prices, 1) };
    let mut calls = JoinSet::new();
    for order in 1..=orders {
        calls.spawn(service.clone().oneshot(order));
    }
    let mut prices: Vec<u32> = Vec::new();
    for price in calls.join_all().await {
        prices.extend(price);
    }
    prices.sort_unstable();
    prices
}

#[tokio::main]
async fn main() {
    println!("prices: {:?}", ask(3).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_passes_each_order_through_the_limit() {
        assert_eq!(ask(3).await, [100, 200, 300]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_pass_each_order_through_the_limit() {
        assert_eq!(ask(1000).await.len(), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_bounded_by_a_timeout_around_both_steps() {
        let second = std::time::Duration::from_secs(1);
        let silent = service_fn(async |_order: u32| {
            std::future::pending::<Result<u32, Infallible>>().await
        });
        let inner = ConcurrencyLimit::new(silent, 1);
        let mut service = Checked { inner };
        let keeps = tokio::spawn(service.clone().oneshot(7));
        tokio::task::yield_now().await;
        // The service isn't ready: the wait comes before the call.
        let ready = tokio::time::timeout(second, service.ready());
        assert!(ready.await.is_err());
        let calls = service.clone().oneshot(8);
        assert!(tokio::time::timeout(second, calls).await.is_err());
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
        let service = Checked { inner };
        hazards::at_every_poll(async |cancel| {
            cancel.run(service.clone().oneshot(7)).await;
            assert_eq!(service.clone().oneshot(8).await, Ok(800));
        })
        .await;
    }
}
