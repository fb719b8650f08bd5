//! What `block_on` inside a task does with the task's budget.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use futures::{channel::oneshot, future::select};
use tokio::{runtime::Handle, sync::mpsc, task::block_in_place};

// ANCHOR: loops
/// Counts the orders that are in the channel, until it's closed.
async fn receive_all(
    mut orders: mpsc::Receiver<u32>,
    count: Arc<AtomicU32>,
) {
    while orders.recv().await.is_some() {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

async fn in_a_task(
    way: &str,
    count: Arc<AtomicU32>,
    give_up: oneshot::Receiver<()>,
) {
    let receiving = Box::pin(receive_all(thousand_orders(), count));
    let receiving = select(receiving, give_up);
    match way {
        "futures::executor::block_on" => {
            futures::executor::block_on(receiving);
        }
        "block_in_place" => {
            block_in_place(|| Handle::current().block_on(receiving));
        }
        _ => drop(receiving.await),
    }
}
// ANCHOR_END: loops

/// A closed channel with a thousand orders.
fn thousand_orders() -> mpsc::Receiver<u32> {
    let (send, orders) = mpsc::channel(1_000);
    for order in 0..1_000 {
        send.try_send(order).expect("there's room");
    }
    orders
}

/// How many orders a task receives, before it hangs or is done.
async fn received(way: &'static str) -> u32 {
    let count = Arc::new(AtomicU32::new(0));
    let (give_up, given_up) = oneshot::channel();
    let task = tokio::spawn(in_a_task(way, count.clone(), given_up));
    if way == "futures::executor::block_on" {
        while count.load(Ordering::Relaxed) < 128 {
            thread::yield_now();
        }
        // Time for more orders, if there were any.
        thread::sleep(Duration::from_millis(100));
        // The task may be done, if it doesn't hang.
        let _ = give_up.send(());
        task.await.expect("no panic");
    } else {
        task.await.expect("no panic");
    }
    count.load(Ordering::Relaxed)
}

#[tokio::main]
async fn main() {
    for way in
        ["futures::executor::block_on", "block_in_place", "await"]
    {
        println!("{way}: {} of 1000 orders", received(way).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_of_the_budget() {
        assert_eq!(received("futures::executor::block_on").await, 128);
        assert_eq!(received("block_in_place").await, 1_000);
        assert_eq!(received("await").await, 1_000);
    }
}
