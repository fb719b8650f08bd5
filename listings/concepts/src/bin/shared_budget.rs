//! Count the polls of futures that share one budget, or have their own.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures::{StreamExt, future::join_all, stream};
use tokio::{
    sync::mpsc,
    task::{JoinSet, yield_now},
};

// ANCHOR: three_ways
/// Polls all orders in one task.
async fn all_together(orders: Vec<Order>) {
    join_all(orders.into_iter().map(Order::take)).await;
}

/// Polls all orders in one task, at most 64 concurrently.
async fn with_a_limit(orders: Vec<Order>) {
    let takes = stream::iter(orders).map(Order::take);
    takes.buffer_unordered(64).for_each(async |_| ()).await;
}

/// Spawns a task for every order.
async fn a_task_each(orders: Vec<Order>) {
    let tasks = orders.into_iter().map(Order::take);
    tasks.collect::<JoinSet<_>>().join_all().await;
}
// ANCHOR_END: three_ways

/// An order that is ready immediately, in its own channel.
struct Order {
    channel: mpsc::Receiver<u32>,
    polls: Arc<AtomicU32>,
}

impl Order {
    async fn take(mut self) -> Option<u32> {
        std::future::poll_fn(|context| {
            self.polls.fetch_add(1, Ordering::Relaxed);
            self.channel.poll_recv(context)
        })
        .await
    }
}

/// Counts the polls that it takes to receive `count` orders.
async fn polls<F: Future<Output = ()>>(
    count: u32,
    take_all: impl FnOnce(Vec<Order>) -> F,
) -> u32 {
    let polls = Arc::new(AtomicU32::new(0));
    let order = |number| {
        let (sender, channel) = mpsc::channel(1);
        sender.try_send(number).expect("there is room");
        Order { channel, polls: Arc::clone(&polls) }
    };
    let orders = (0..count).map(order).collect();
    yield_now().await; // Start with a full budget.
    take_all(orders).await;
    polls.load(Ordering::Relaxed)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("polls for       {:>7}  {:>7} orders", 1000, 10_000);
    let few = polls(1000, all_together).await;
    let many = polls(10_000, all_together).await;
    println!("all together    {few:>7}  {many:>7}");
    let few = polls(1000, with_a_limit).await;
    let many = polls(10_000, with_a_limit).await;
    println!("with a limit    {few:>7}  {many:>7}");
    let few = polls(1000, a_task_each).await;
    let many = polls(10_000, a_task_each).await;
    println!("a task each     {few:>7}  {many:>7}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ten_times_the_orders_are_a_hundred_times_the_polls() {
        let few = polls(1000, all_together).await;
        let many = polls(10_000, all_together).await;
        assert!(many > 50 * few, "{few}, {many}");
    }

    #[tokio::test]
    async fn a_limit_keeps_them_in_proportion() {
        let few = polls(1000, with_a_limit).await;
        let many = polls(10_000, with_a_limit).await;
        assert!(many < 20 * few, "{few}, {many}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_task_each_is_a_poll_each() {
        assert_eq!(polls(1000, a_task_each).await, 1000);
    }
}
