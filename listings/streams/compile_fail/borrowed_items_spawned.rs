//! Wrong: a task works on a stream of borrowed orders.

use futures::{FutureExt, StreamExt, stream};

struct Order {
    number: u32,
}

async fn price(order: &Order, discount: u32) -> u32 {
    tokio::task::yield_now().await;
    100 * order.number - discount
}

async fn total(orders: Vec<Order>) -> u32 {
    stream::iter(&orders)
        .map(|order| price(order, 10))
        .buffer_unordered(8)
        .fold(0, async |total, price| total + price)
        .await
}

/// Boxing each future, as is often suggested, doesn't help.
async fn total_boxed(orders: Vec<Order>) -> u32 {
    stream::iter(orders.as_slice())
        .map(|order| price(order, 10).boxed())
        .buffer_unordered(8)
        .fold(0, async |total, price| total + price)
        .await
}

#[tokio::main]
async fn main() {
    println!("{:?}", tokio::spawn(total(Vec::new())).await);
    println!("{:?}", tokio::spawn(total_boxed(Vec::new())).await);
}
