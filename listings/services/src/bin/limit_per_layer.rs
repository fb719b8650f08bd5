//! Limit concurrency per route, or for all routes together.

// ANCHOR: limits
use tower::{
    Layer, ServiceExt,
    limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer},
};

/// Sends an order to each of two routes. Each route has its own limit.
/// Returns how many orders were in progress at the same time.
async fn each() -> u32 {
    let (server, limit) =
        (Server::new(), ConcurrencyLimitLayer::new(1));
    let route = || limit.layer(server.route());
    let both = tokio::join!(route().oneshot(7), route().oneshot(8));
    assert_eq!(both, (Ok(()), Ok(())));
    server.most()
}

/// The same with the global layer: the routes share one limit.
async fn all() -> u32 {
    let server = Server::new();
    let limit = GlobalConcurrencyLimitLayer::new(1);
    let route = || limit.layer(server.route());
    let both = tokio::join!(route().oneshot(7), route().oneshot(8));
    assert_eq!(both, (Ok(()), Ok(())));
    server.most()
}
// ANCHOR_END: limits

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

use tower::{Service, service_fn};

/// Counts the orders in progress, and the highest count.
#[derive(Clone)]
struct Server(Arc<(AtomicU32, AtomicU32)>);

impl Server {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn most(&self) -> u32 {
        self.0.1.load(SeqCst)
    }

    fn route(
        &self,
    ) -> impl Service<u32, Response = (), Error = Infallible> + use<>
    {
        let server = self.clone();
        service_fn(move |_order| {
            let server = server.clone();
            async move {
                let (now, most) = &*server.0;
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, SeqCst);
                Ok(())
            }
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("two routes, a limit of one:");
    println!("ConcurrencyLimitLayer:       {}", each().await);
    println!("GlobalConcurrencyLimitLayer: {}", all().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_global_one_limits_all_routes() {
        assert_eq!((each().await, all().await), (2, 1));
    }
}
