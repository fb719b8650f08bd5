//! Wait for the spawned tasks before you assert.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::{error::Elapsed, sleep, timeout};
use tokio_util::task::TaskTracker;

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

// ANCHOR: waits
/// Waits for the same tasks as the service does at shutdown.
async fn receipts_of_one_order() -> Result<usize, Elapsed> {
    let tasks = TaskTracker::new();
    let receipts = Arc::default();
    let shop = Shop { tasks, receipts };
    shop.place(17);
    shop.tasks.close();
    timeout(Duration::from_secs(60), shop.tasks.wait()).await?;
    Ok(shop.receipts.lock().expect("no panic").len())
}
// ANCHOR_END: waits

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Elapsed> {
    println!("receipts: {}", receipts_of_one_order().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_task_and_what_the_test_sees() {
        assert_eq!(receipts_of_one_order().await, Ok(1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_make_no_difference() {
        assert_eq!(receipts_of_one_order().await, Ok(1));
    }
}
