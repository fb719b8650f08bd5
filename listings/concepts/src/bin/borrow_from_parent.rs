//! Three ways to share a list with work that runs at the same time.

use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::task::{JoinError, JoinSet, spawn_blocking};

// ANCHOR: three_ways
/// Borrows, in your own task: all take turns on one thread.
async fn in_my_task(prices: &[u32]) -> u32 {
    let parts = stream::iter(prices.chunks(2)).map(async |it| sum(it));
    parts.buffer_unordered(4).fold(0, async |a, b| a + b).await
}

/// Shares, in tasks: on all threads of the runtime.
async fn in_tasks(prices: Arc<[u32]>) -> u32 {
    let mut parts = JoinSet::new();
    for begin in (0..prices.len()).step_by(2) {
        let prices = Arc::clone(&prices);
        let end = prices.len().min(begin + 2);
        parts.spawn(async move { sum(&prices[begin..end]) });
    }
    parts.join_all().await.iter().sum()
}

/// Borrows, in threads: they end before the closure does.
async fn in_scope(prices: Vec<u32>) -> Result<u32, JoinError> {
    let all = move || {
        std::thread::scope(|scope| {
            let (left, right) = prices.split_at(prices.len() / 2);
            let left = scope.spawn(|| sum(left));
            sum(right) + left.join().expect("it does not panic")
        })
    };
    spawn_blocking(all).await
}
// ANCHOR_END: three_ways

fn sum(prices: &[u32]) -> u32 {
    prices.iter().sum()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let prices = vec![100, 250, 300, 600];
    println!("in my task:     {}", in_my_task(&prices).await);
    println!(
        "in tasks:       {}",
        in_tasks(prices.clone().into()).await
    );
    println!("in a scope:     {}", in_scope(prices).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_price_is_no_sum() {
        assert_eq!(in_my_task(&[]).await, 0);
        assert_eq!(in_tasks(Arc::new([])).await, 0);
        assert_eq!(in_scope(Vec::new()).await.ok(), Some(0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn all_three_find_the_same() {
        let prices: Vec<u32> = (1..=101).collect();
        assert_eq!(in_my_task(&prices).await, 5151);
        assert_eq!(in_tasks(prices.clone().into()).await, 5151);
        assert_eq!(in_scope(prices).await.ok(), Some(5151));
    }
}
