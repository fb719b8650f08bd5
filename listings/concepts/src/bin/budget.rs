//! How many messages can a task receive before other tasks run?

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures::{Stream, StreamExt, stream};
use tokio::{
    sync::{Notify, mpsc},
    task::{coop::unconstrained, yield_now},
};

// ANCHOR: three_ways
/// Receives from a Tokio channel that always has a message ready.
async fn from_channel(mut orders: mpsc::Receiver<u32>) {
    while orders.recv().await.is_some() {}
}

/// Does the same without a budget.
async fn without_limit(orders: mpsc::Receiver<u32>) {
    unconstrained(from_channel(orders)).await;
}

/// Reads a stream that doesn't use Tokio's budget.
async fn from_stream(mut orders: impl Stream + Unpin) {
    while orders.next().await.is_some() {}
}

/// Waits a thousand times for a wakeup that is already stored.
async fn from_notify(bell: Notify) {
    for _ in 0..1000 {
        bell.notify_one();
        bell.notified().await;
    }
}
// ANCHOR_END: three_ways

/// A channel with 1000 orders.
fn orders() -> mpsc::Receiver<u32> {
    let (sender, orders) = mpsc::channel(1000);
    for order in 0..1000 {
        sender.try_send(order).expect("there is room for all");
    }
    orders
}

/// Counts how often another task is polled while `work` runs.
async fn polls_during(work: impl Future<Output = ()>) -> u32 {
    yield_now().await; // It starts with a whole budget.
    let polls = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&polls);
    let other = tokio::spawn(async move {
        loop {
            count.fetch_add(1, Ordering::Relaxed);
            yield_now().await;
        }
    });
    work.await;
    other.abort();
    polls.load(Ordering::Relaxed)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("1000 orders           polls of another task");
    let polls = polls_during(from_channel(orders())).await;
    println!("a Tokio channel       {polls}");
    let polls = polls_during(without_limit(orders())).await;
    println!("without a budget      {polls}");
    let all = stream::iter(0..1000);
    let polls = polls_during(from_stream(all)).await;
    println!("a futures stream      {polls}");
    let polls = polls_during(from_notify(Notify::new())).await;
    println!("a Notify              {polls}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_budget_is_128_messages() {
        assert_eq!(polls_during(from_channel(orders())).await, 7);
        assert_eq!(polls_during(without_limit(orders())).await, 0);
        let all = stream::iter(0..1000);
        assert_eq!(polls_during(from_stream(all)).await, 0);
        let bell = Notify::new();
        assert_eq!(polls_during(from_notify(bell)).await, 0);
    }

    #[tokio::test]
    async fn the_first_turn_comes_after_128_messages() {
        let (sender, mut orders) = mpsc::channel(1000);
        for order in 0..1000u32 {
            sender.try_send(order).expect("there is room for all");
        }
        let taker = tokio::spawn(async move {
            while orders.recv().await.is_some() {}
        });
        yield_now().await;
        assert_eq!(sender.capacity(), 128);
        taker.abort();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn all_are_taken_on_many_threads() {
        from_channel(orders()).await;
        without_limit(orders()).await;
    }

    #[tokio::test]
    async fn a_future_of_ones_own_can_take_part() {
        use tokio::task::coop::cooperative;
        let work = async {
            let mut orders = stream::iter(0..1000);
            while cooperative(orders.next()).await.is_some() {}
        };
        assert_eq!(polls_during(work).await, 7);
    }
}
