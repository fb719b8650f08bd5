//! Wrong: the middleware calls a clone, which isn't ready.

// ANCHOR: wrong
use std::task::{Context, Poll};

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
        // Wrong: the ready service has the permit, not the clone.
        let mut inner = self.inner.clone();
        Box::pin(async move {
            check(order).await;
            inner.call(order).await
        })
    }
}
// ANCHOR_END: wrong

use tower::{ServiceExt, limit::ConcurrencyLimit, service_fn};

/// Stands for a lookup that awaits.
async fn check(_order: u32) {
    tokio::task::yield_now().await;
}

/// Sends one order through a limit of one. Returns its price, or the
/// panic's message.
async fn ask() -> Result<u32, String> {
    let prices = service_fn(async |order: u32| {
        Ok::<_, std::convert::Infallible>(order * 100)
    });
    let inner = ConcurrencyLimit::new(prices, 1);
    let mut service = Checked { inner };
    let asked = tokio::spawn(async move {
        let Ok(ready) = service.ready().await;
        ready.call(7).await
    });
    match asked.await {
        Ok(Ok(price)) => Ok(price),
        Err(error) => {
            let panic = error.into_panic();
            let message = panic.downcast_ref::<String>().cloned();
            Err(message.unwrap_or_default())
        }
    }
}

#[tokio::main]
async fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    match ask().await {
        Ok(price) => println!("price: {price}"),
        Err(message) => println!("panicked: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_passes_each_order_through_the_limit() {
        // It panics at the first order.
        let message = ask().await.expect_err("a panic");
        assert!(message.contains("poll_ready"), "{message}");
    }
}
