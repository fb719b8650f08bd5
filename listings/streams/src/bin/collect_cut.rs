//! Wrong: the timeout fires, and the collected offers are lost.

use futures::{Stream, StreamExt};
use tokio::time::{Duration, sleep, timeout};

// ANCHOR: wrong
/// Wrong: the offers so far are in the future of `collect`, and the
/// timeout drops it.
async fn offers_in_time(offers: impl Stream<Item = u32>) -> Vec<u32> {
    let gather = offers.collect();
    timeout(Duration::from_secs(1), gather).await.unwrap_or_default()
}
// ANCHOR_END: wrong

/// An offer every 300 ms.
fn offers() -> impl Stream<Item = u32> {
    futures::stream::iter([90, 80, 85, 70, 95]).then(async |offer| {
        sleep(Duration::from_millis(300)).await;
        offer
    })
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("{:?}", offers_in_time(offers()).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_offers_after_the_deadline() {
        assert!(offers_in_time(offers()).await.is_empty());
    }
}
