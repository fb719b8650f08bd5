//! A task for each shop, and one queue for all of them.

// ANCHOR: all_orders
use futures::{StreamExt, stream::BoxStream};
use tokio::{sync::mpsc, task::JoinSet};

/// Takes from all shops at once. The queue bounds how far they are
/// ahead. Dropped, it ends the tasks.
async fn write_all(
    shops: Vec<BoxStream<'static, u32>>,
    mut write: impl AsyncFnMut(Event),
) {
    let (queue, mut events) = mpsc::channel(16);
    let mut tasks = JoinSet::new();
    for (shop, mut orders) in shops.into_iter().enumerate() {
        let queue = queue.clone();
        tasks.spawn(async move {
            while let Some(order) = orders.next().await {
                queue.send(Event::Order { shop, order }).await?;
            }
            queue.send(Event::Closed { shop }).await
        });
    }
    drop(queue);
    while let Some(event) = events.recv().await {
        write(event).await;
    }
    // All have ended. If one has panicked, so does this.
    tasks.join_all().await;
}
// ANCHOR_END: all_orders

#[derive(Debug, PartialEq)]
enum Event {
    Order { shop: usize, order: u32 },
    Closed { shop: usize },
}

use futures::stream;
use tokio::time::{Duration, sleep};

/// Two orders, each after this time.
fn orders(milliseconds: u64) -> BoxStream<'static, u32> {
    let orders = stream::iter(1..=2);
    let orders = orders.then(move |order| async move {
        sleep(Duration::from_millis(milliseconds)).await;
        order
    });
    orders.boxed()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let shops = vec![orders(20), orders(30)];
    write_all(shops, async |event| println!("{event:?}")).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn each_order_and_each_end() {
        let shops = (0..200).map(|_| orders(1)).collect();
        let (mut orders, mut closed) = (0, 0);
        let count = async |event| match event {
            Event::Order { .. } => orders += 1,
            Event::Closed { .. } => closed += 1,
        };
        write_all(shops, count).await;
        assert_eq!((orders, closed), (400, 200));
    }
}
