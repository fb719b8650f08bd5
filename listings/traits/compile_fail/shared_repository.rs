//! A trait object that is `Send` but not `Sync` can't be shared.

// ANCHOR: wrong
use std::sync::Arc;

use futures::future::BoxFuture;

/// A store for orders.
trait Orders {
    fn count(&self) -> BoxFuture<'_, u32>;
}

struct Shop {
    orders: Box<dyn Orders + Send>,
}

fn report(shop: Arc<Shop>) {
    tokio::spawn(async move { shop.orders.count().await });
}
// ANCHOR_END: wrong

struct InMemory(Vec<u32>);

impl Orders for InMemory {
    fn count(&self) -> BoxFuture<'_, u32> {
        let count = self.0.iter().map(|_| 1).sum();
        Box::pin(std::future::ready(count))
    }
}

#[tokio::main]
async fn main() {
    report(Arc::new(Shop { orders: Box::new(InMemory(vec![7])) }));
}
