//! Wrong: a test asserts before the task has started.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::task::TaskTracker;

// ANCHOR: wrong
/// Sends each receipt in its own task. The owner of the shop waits for
/// these tasks at shutdown.
struct Shop {
    tasks: TaskTracker,
    receipts: Arc<Mutex<Vec<u32>>>,
}

impl Shop {
    fn place(&self, order: u32) {
        let receipts = Arc::clone(&self.receipts);
        self.tasks.spawn(async move {
            sleep(Duration::from_millis(20)).await;
            receipts.lock().expect("no panic").push(order);
        });
    }
}

/// Wrong: `spawn` only puts the task into the runtime's queue.
async fn receipts_of_one_order() -> usize {
    let tasks = TaskTracker::new();
    let receipts = Arc::default();
    let shop = Shop { tasks, receipts };
    shop.place(17);
    shop.receipts.lock().expect("no panic").len()
}
// ANCHOR_END: wrong

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("receipts: {}", receipts_of_one_order().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_task_and_what_the_test_sees() {
        assert_eq!(receipts_of_one_order().await, 0);
    }
}
