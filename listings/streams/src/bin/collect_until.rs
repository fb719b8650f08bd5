//! The stream ends when the time is up, and what had come is kept.

use futures::{Stream, StreamExt};
use tokio::time::{Duration, sleep};

// ANCHOR: until
/// The offers of the first second, or fewer if they end.
async fn offers_in_time(offers: impl Stream<Item = u32>) -> Vec<u32> {
    let time_is_up = sleep(Duration::from_secs(1));
    offers.take_until(time_is_up).collect().await
}
// ANCHOR_END: until

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
    async fn three_offers_came_and_are_kept() {
        assert_eq!(offers_in_time(offers()).await, [90, 80, 85]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_does_not_wait_when_they_have_ended() {
        let start = tokio::time::Instant::now();
        let few = tokio_stream::iter([90]);
        assert_eq!(offers_in_time(few).await, [90]);
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}
