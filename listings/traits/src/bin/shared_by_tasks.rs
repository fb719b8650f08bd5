//! Require `Send` and `Sync`, so that tasks can share a trait object.

// ANCHOR: orders
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::task::JoinSet;

/// A store for orders that all tasks share. The trait requires `Send`
/// and `Sync`, so every `dyn Orders` has them.
trait Orders: Send + Sync {
    fn count(&self) -> BoxFuture<'_, u32>;
}

struct Shop {
    orders: Box<dyn Orders>,
}

/// Counts orders in a task. The caller owns the set of tasks.
fn report(tasks: &mut JoinSet<u32>, shop: Arc<Shop>) {
    tasks.spawn(async move { shop.orders.count().await });
}
// ANCHOR_END: orders

struct InMemory(Vec<u32>);

impl Orders for InMemory {
    fn count(&self) -> BoxFuture<'_, u32> {
        let count = self.0.iter().map(|_| 1).sum();
        Box::pin(std::future::ready(count))
    }
}

fn shop(orders: impl Orders + 'static) -> Arc<Shop> {
    Arc::new(Shop { orders: Box::new(orders) })
}

#[tokio::main]
async fn main() -> Result<(), tokio::task::JoinError> {
    let shop = shop(InMemory(vec![7, 8]));
    let mut tasks = JoinSet::new();
    report(&mut tasks, Arc::clone(&shop));
    report(&mut tasks, shop);
    while let Some(count) = tasks.join_next().await {
        println!("orders: {}", count?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Never returns, or panics.
    struct Broken {
        panics: bool,
    }

    impl Orders for Broken {
        fn count(&self) -> BoxFuture<'_, u32> {
            assert!(!self.panics, "no orders");
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_it() {
        let shop = shop(InMemory(vec![7, 8]));
        let mut tasks = JoinSet::new();
        for _ in 0..100 {
            report(&mut tasks, Arc::clone(&shop));
        }
        assert_eq!(tasks.join_all().await, [2; 100]);
    }

    #[tokio::test]
    async fn panic_of_one_task_leaves_the_object_to_the_others() {
        let shop = shop(Broken { panics: true });
        let mut tasks = JoinSet::new();
        for _ in 0..3 {
            report(&mut tasks, Arc::clone(&shop));
            let ended = tasks.join_next().await.expect("a task");
            assert!(ended.is_err_and(|error| error.is_panic()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_tasks() {
        let mut tasks = JoinSet::new();
        report(&mut tasks, shop(Broken { panics: false }));
        tokio::task::yield_now().await;
        drop(tasks);
        hazards::no_task_left().await;
    }
}
