//! Three ways to write a stream so that a task can run it.

// ANCHOR: three_ways
use futures::{FutureExt, StreamExt, stream};

/// The items are owned, so there's no lifetime in the closure.
async fn of_owned(orders: Vec<Order>) -> u32 {
    stream::iter(orders)
        .map(|order| async move { price(&order, 10).await })
        .buffer_unordered(8)
        .fold(0, async |total, price| total + price)
        .await
}

/// A function instead of a closure: it accepts any lifetime.
async fn by_name(orders: Vec<Order>) -> u32 {
    stream::iter(&orders)
        .map(discounted)
        .buffer_unordered(8)
        .fold(0, async |total, price| total + price)
        .await
}

async fn discounted(order: &Order) -> u32 {
    price(order, 10).await
}

/// The whole chain is boxed, so it's checked here that it's `Send`.
async fn boxed(orders: Vec<Order>) -> u32 {
    stream::iter(&orders)
        .map(|order| price(order, 10))
        .buffer_unordered(8)
        .fold(0, async |total, price| total + price)
        .boxed()
        .await
}
// ANCHOR_END: three_ways

struct Order {
    number: u32,
}

async fn price(order: &Order, discount: u32) -> u32 {
    tokio::task::yield_now().await;
    100 * order.number - discount
}

fn orders() -> Vec<Order> {
    vec![Order { number: 1 }, Order { number: 2 }]
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), tokio::task::JoinError> {
    println!("{}", tokio::spawn(of_owned(orders())).await?);
    println!("{}", tokio::spawn(by_name(orders())).await?);
    println!("{}", tokio::spawn(boxed(orders())).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::stream::FuturesUnordered;

    use super::*;

    /// A loop has no closure, so it has no such problem.
    async fn pushed(orders: Vec<Order>) -> u32 {
        let mut prices = FuturesUnordered::new();
        for order in &orders {
            prices.push(price(order, 10));
        }
        let mut total = 0;
        while let Some(price) = prices.next().await {
            total += price;
        }
        total
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_each_can_be_spawned() {
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(of_owned(orders()));
        tasks.spawn(by_name(orders()));
        tasks.spawn(boxed(orders()));
        tasks.spawn(pushed(orders()));
        assert_eq!(tasks.join_all().await, [280; 4]);
    }

    #[tokio::test]
    async fn edges_no_order() {
        assert_eq!(of_owned(Vec::new()).await, 0);
        assert_eq!(by_name(Vec::new()).await, 0);
        assert_eq!(boxed(Vec::new()).await, 0);
    }
}
