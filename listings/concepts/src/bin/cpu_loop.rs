//! Wrong: a loop with ten thousand awaits, none of which ever waits.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::task::yield_now;

// ANCHOR: wrong
/// Wrong: an `.await` lets other tasks run only if it has to wait.
/// These futures are always ready, so the loop never yields.
async fn total(products: u32) -> u64 {
    let mut sum = 0;
    for product in 0..products {
        sum += u64::from(cached_price(product).await);
    }
    sum
}
// ANCHOR_END: wrong

/// Another task, which does a little work whenever it is polled.
fn background() -> Arc<AtomicU32> {
    let polls = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&polls);
    tokio::spawn(async move {
        loop {
            count.fetch_add(1, Ordering::Relaxed);
            yield_now().await;
        }
    });
    polls
}

/// A price from the cache, which is ready immediately.
async fn cached_price(product: u32) -> u32 {
    10 * product
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let polls = background();
    let sum = total(10_000).await;
    let polls = polls.load(Ordering::Relaxed);
    println!("{sum} cents; another task was polled {polls} times");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slow_loops_let_others_run_now_and_then() {
        // It doesn't: the other task is never polled.
        let polls = background();
        assert_eq!(total(10_000).await, 499_950_000);
        assert_eq!(polls.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_have_no_turn_on_one_worker() {
        let polls = tokio::spawn(async {
            let polls = background();
            total(10_000).await;
            polls.load(Ordering::Relaxed)
        });
        assert_eq!(polls.await.expect("it does not panic"), 0);
    }
}
