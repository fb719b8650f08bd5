//! Share a list with concurrent work, in three ways.

use std::{panic::resume_unwind, sync::Arc};

use futures::{StreamExt, stream};
use tokio::task::{JoinError, JoinSet, spawn_blocking};

// ANCHOR: three_ways
/// Borrows the list. All parts are polled in your own task.
async fn in_my_task(prices: &[u32]) -> u64 {
    // With an async closure instead of a function name, callers
    // can't spawn this future.
    let parts = stream::iter(prices.chunks(2)).map(sum_later);
    parts.buffer_unordered(4).fold(0, async |a, b| a + b).await
}

/// Shares the list with tasks, which run on all workers. If a task
/// panics, or if this is canceled, all tasks are aborted.
async fn in_tasks(prices: Arc<[u32]>) -> Result<u64, JoinError> {
    let mut parts = JoinSet::new();
    for start in (0..prices.len()).step_by(2) {
        let prices = Arc::clone(&prices);
        let end = prices.len().min(start + 2);
        parts.spawn(async move { sum(&prices[start..end]) });
    }
    let mut total = 0;
    while let Some(part) = parts.join_next().await {
        total += part?;
    }
    Ok(total)
}

/// Borrows the list in threads. The scope waits for the threads. If
/// this is canceled, the closure keeps running.
async fn in_scope(prices: Vec<u32>) -> Result<u64, JoinError> {
    let all = move || {
        std::thread::scope(|scope| {
            let (left, right) = prices.split_at(prices.len() / 2);
            let left = scope.spawn(|| sum(left));
            let right = sum(right);
            right + left.join().unwrap_or_else(|it| resume_unwind(it))
        })
    };
    spawn_blocking(all).await
}
// ANCHOR_END: three_ways

/// Adds up prices, like a call to another server.
async fn sum_later(prices: &[u32]) -> u64 {
    tokio::task::yield_now().await;
    sum(prices)
}

fn sum(prices: &[u32]) -> u64 {
    assert!(!prices.contains(&13), "13 is no price");
    prices.iter().map(|&price| u64::from(price)).sum()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let prices = vec![100, 250, 300, 600];
    let shared = Arc::from(&prices[..]);
    println!("in my task:     {}", in_my_task(&prices).await);
    println!("in tasks:       {}", in_tasks(shared).await?);
    println!("in a scope:     {}", in_scope(prices).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn edges_no_price_one_and_the_largest() {
        for (prices, sum) in [
            (vec![], 0),
            (vec![7], 7),
            (vec![u32::MAX; 3], 3 * u64::from(u32::MAX)),
        ] {
            assert_eq!(in_my_task(&prices).await, sum);
            let shared = Arc::from(&prices[..]);
            assert_eq!(in_tasks(shared).await.ok(), Some(sum));
            assert_eq!(in_scope(prices).await.ok(), Some(sum));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_all_three_find_the_same() {
        let prices: Vec<u32> = (100..=1100).collect();
        let sum = prices.iter().map(|&it| u64::from(it)).sum();
        for _ in 0..20 {
            assert_eq!(in_my_task(&prices).await, sum);
            let shared = Arc::from(&prices[..]);
            assert_eq!(in_tasks(shared).await.ok(), Some(sum));
            let scoped = in_scope(prices.clone()).await;
            assert_eq!(scoped.ok(), Some(sum));
            let list = prices.clone();
            let mine = async move { in_my_task(&list).await };
            assert_eq!(tokio::spawn(mine).await.ok(), Some(sum));
        }
    }

    #[tokio::test]
    async fn panic_of_any_part_is_reported_with_its_message() {
        for broken in [0, 4, 8] {
            let mut prices = vec![100; 9];
            prices[broken] = 13;
            let mine = AssertUnwindSafe(in_my_task(&prices));
            assert!(mine.catch_unwind().await.is_err());
            let shared = Arc::from(&prices[..]);
            for error in [
                in_tasks(shared).await.expect_err("it panics"),
                in_scope(prices).await.expect_err("it panics"),
            ] {
                let error = error.to_string();
                assert!(error.contains("13 is no price"), "{error}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(in_tasks(Arc::new([100; 9]))).await;
            hazards::no_task_left().await;
        })
        .await;
    }
}
