//! Wrong: the time is up, and what had come is gone.

use futures::{Stream, StreamExt};
use tokio::time::{Duration, sleep, timeout};

// ANCHOR: wrong
/// Wrong: what `collect` has gathered is in its future, and the
/// timeout drops that.
async fn offers_in_time(offers: impl Stream<Item = u32>) -> Vec<u32> {
    let gather = offers.collect();
    timeout(Duration::from_secs(1), gather).await.unwrap_or_default()
}
// ANCHOR_END: wrong

/// An offer each 300 ms.
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
    async fn three_offers_came_and_none_is_left() {
        assert!(offers_in_time(offers()).await.is_empty());
    }
}
