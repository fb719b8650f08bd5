//! A trait that demands what sharing needs.

// ANCHOR: orders
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::task::JoinHandle;

/// Where orders are kept. All tasks use it: `Send` and `Sync` are a
/// part of it, so that no `dyn Orders` can be without.
trait Orders: Send + Sync {
    fn count(&self) -> BoxFuture<'_, u32>;
}

struct Shop {
    orders: Box<dyn Orders>,
}

fn report(shop: Arc<Shop>) -> JoinHandle<u32> {
    tokio::spawn(async move { shop.orders.count().await })
}
// ANCHOR_END: orders

struct InMemory(Vec<u32>);

impl Orders for InMemory {
    fn count(&self) -> BoxFuture<'_, u32> {
        let count = self.0.iter().map(|_| 1).sum();
        Box::pin(std::future::ready(count))
    }
}

async fn two_reports() -> (Option<u32>, Option<u32>) {
    let orders = Box::new(InMemory(vec![7, 8]));
    let shop = Arc::new(Shop { orders });
    let (one, other) = (report(shop.clone()), report(shop));
    (one.await.ok(), other.await.ok())
}

#[tokio::main]
async fn main() {
    println!("{:?}", two_reports().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_tasks_share_it() {
        assert_eq!(two_reports().await, (Some(2), Some(2)));
    }
}
