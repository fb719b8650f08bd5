//! A test waits for what the code has spawned, and then looks.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::task::TaskTracker;

/// Sends receipts behind its caller's back. `tasks` is its owner's,
/// who waits for them at shutdown.
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

// ANCHOR: waits
/// The way in which the service ends is the way to wait in a test.
async fn receipts_of_one_order() -> usize {
    let tasks = TaskTracker::new();
    let receipts = Arc::default();
    let shop = Shop { tasks, receipts };
    shop.place(17);
    shop.tasks.close();
    shop.tasks.wait().await;
    shop.receipts.lock().expect("no panic").len()
}
// ANCHOR_END: waits

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("receipts: {}", receipts_of_one_order().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_there() {
        assert_eq!(receipts_of_one_order().await, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn on_more_threads_too() {
        assert_eq!(receipts_of_one_order().await, 1);
    }
}
