//! A handler whose future has a name can be spawned.

// ANCHOR: for_each
use tokio::task::JoinSet;

/// Calls a handler for each order, each in a task.
async fn for_each<F, Fut>(
    orders: Vec<u32>,
    handler: F,
) -> Vec<Fut::Output>
where
    F: Fn(u32) -> Fut,
    Fut: Future<Output: Send> + Send + 'static,
{
    let tasks: JoinSet<_> = orders.into_iter().map(handler).collect();
    tasks.join_all().await
}
// ANCHOR_END: for_each

async fn total() -> u32 {
    let prices = for_each(vec![1, 2, 3], async |order| order * 100);
    prices.await.into_iter().sum()
}

#[tokio::main]
async fn main() {
    println!("total: {}", total().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_are_handled() {
        assert_eq!(total().await, 600);
    }
}
