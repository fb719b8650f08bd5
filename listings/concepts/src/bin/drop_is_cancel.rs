//! A timeout drops an order halfway through: what ran, and what didn't?

use std::time::Duration;

use tokio::time::{sleep, timeout};

// ANCHOR: place
/// Three steps, and a guard that prints when it is dropped.
async fn place(order: u32) {
    let _reserved = Reserved { order };
    println!("order {order}: reserved");
    sleep(Duration::from_millis(30)).await;
    println!("order {order}: paid");
    sleep(Duration::from_millis(30)).await;
    println!("order {order}: sent");
}
// ANCHOR_END: place

/// Goods that are reserved for an order.
struct Reserved {
    order: u32,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        println!("order {}: the goods are released", self.order);
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let limit = Duration::from_millis(50);
    match timeout(limit, place(1)).await {
        Ok(()) => println!("done"),
        Err(error) => println!("{error}"),
    }
    sleep(Duration::from_secs(3600)).await;
    println!("an hour later: nothing else has run");
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_behind_the_await_never_runs() {
        let steps = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&steps);
        let work = async move {
            for _ in 0..10 {
                count.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(30)).await;
            }
        };
        assert!(
            timeout(Duration::from_millis(50), work).await.is_err()
        );
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(steps.load(Ordering::Relaxed), 2);
        // The future was dropped with everything that it owned.
        assert_eq!(Arc::strong_count(&steps), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_future_that_is_dropped_frees_what_it_holds() {
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let mut work = Box::pin(async move {
            let _held = holds;
            sleep(Duration::from_secs(86_400)).await;
        });
        assert!(futures::poll!(work.as_mut()).is_pending());
        drop(work);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
