//! A long loop that lets other tasks run now and then.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::task::{coop::consume_budget, yield_now};

// ANCHOR: total
/// Adds up prices. Every iteration uses a unit of the budget that
/// Tokio gives the task. When no unit is left, other tasks run. If an
/// iteration took milliseconds, `yield_now` would be the right call.
async fn total(products: u32) -> u64 {
    let mut sum = 0;
    for product in 0..products {
        sum += u64::from(cached_price(product).await);
        consume_budget().await;
    }
    sum
}
// ANCHOR_END: total

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
        let polls = background();
        assert_eq!(total(10_000).await, 499_950_000);
        // Once in 128 steps.
        assert_eq!(polls.load(Ordering::Relaxed), 78);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn threads_others_run_on_the_only_worker() {
        let polls = tokio::spawn(async {
            let polls = background();
            total(10_000).await;
            polls.load(Ordering::Relaxed)
        });
        assert!(polls.await.expect("it does not panic") > 0);
    }

    #[tokio::test]
    async fn cancel_can_stop_it_when_the_budget_is_used_up() {
        let mut polls = 0;
        hazards::at_every_poll(async |cancel| {
            polls = cancel.polls();
            cancel.run(total(1000)).await;
        })
        .await;
        assert!(polls > 7, "{polls} polls");
    }

    #[tokio::test]
    async fn edges_nothing_and_one() {
        assert_eq!(total(0).await, 0);
        assert_eq!(total(2).await, 10);
    }
}
