//! Share the list in an `Arc`, which counts atomically.

use std::sync::Arc;

// ANCHOR: main
async fn total(prices: Arc<Vec<u32>>) -> u32 {
    prices.iter().sum()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let prices = Arc::new(vec![1250, 990]);
    println!("{:?}", tokio::spawn(total(prices)).await.ok());
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_it() {
        let prices = Arc::new(vec![1, 2]);
        let tasks: Vec<_> = (0..100)
            .map(|_| tokio::spawn(total(Arc::clone(&prices))))
            .collect();
        for task in tasks {
            assert_eq!(task.await.ok(), Some(3));
        }
        assert_eq!(prices.len(), 2);
    }
}
