//! Wrong: ten thousand awaits, and not one of them waits.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::task::yield_now;

// ANCHOR: wrong
/// Wrong: an `.await` lets others run only where it has to wait.
/// These futures are all ready, so this runs to its end in one go.
async fn total(products: u32) -> u64 {
    let mut sum = 0;
    for product in 0..products {
        sum += u64::from(cached_price(product).await);
    }
    sum
}
// ANCHOR_END: wrong

/// A task that does something small whenever it gets to run.
fn background() -> Arc<AtomicU32> {
    let turns = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&turns);
    tokio::spawn(async move {
        loop {
            count.fetch_add(1, Ordering::Relaxed);
            yield_now().await;
        }
    });
    turns
}

/// A price that is in the cache, and so ready immediately.
async fn cached_price(product: u32) -> u32 {
    10 * product
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let turns = background();
    let sum = total(10_000).await;
    let turns = turns.load(Ordering::Relaxed);
    println!("{sum} cents; meanwhile, others had {turns} turns");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slow_loops_let_others_run_now_and_then() {
        // It doesn't: they have no turn.
        let turns = background();
        assert_eq!(total(10_000).await, 499_950_000);
        assert_eq!(turns.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_have_no_turn_on_one_worker() {
        let turns = tokio::spawn(async {
            let turns = background();
            total(10_000).await;
            turns.load(Ordering::Relaxed)
        });
        assert_eq!(turns.await.expect("it does not panic"), 0);
    }
}
