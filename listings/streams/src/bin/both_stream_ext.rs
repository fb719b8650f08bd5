//! One trait is imported, and the other is called by its path.

// ANCHOR: main
use futures::StreamExt;
use tokio::time::Duration;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let orders = tokio_stream::iter([1, 2, 3]);
    let orders = orders.map(|order| order * 10);
    // Only tokio-stream has this one.
    let pause = Duration::from_millis(1);
    let orders = tokio_stream::StreamExt::throttle(orders, pause);
    println!("{}", orders.count().await);
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    /// Each trait is imported in its own module.
    mod by_futures {
        use std::future::ready;

        use futures::StreamExt;

        pub async fn even() -> usize {
            let orders = tokio_stream::iter([1, 2, 3, 4]);
            // The closure returns a future.
            let even = orders.filter(|order| ready(order % 2 == 0));
            even.count().await
        }
    }

    mod by_tokio {
        use tokio_stream::StreamExt;

        pub async fn even() -> Vec<i32> {
            let orders = tokio_stream::iter([1, 2, 3, 4]);
            // The closure returns a bool.
            orders.filter(|order| order % 2 == 0).collect().await
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn both_extend_the_same_stream() {
        assert_eq!(by_futures::even().await, 2);
        assert_eq!(by_tokio::even().await, [2, 4]);
    }
}
