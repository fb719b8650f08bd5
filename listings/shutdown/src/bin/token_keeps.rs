//! A token that is canceled stays so, for those who come later, too.

// ANCHOR: connection
use tokio::time::{Duration, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// A connection takes a while to be set up, and is then served until
/// it is told to stop.
async fn connection(stop: CancellationToken) {
    sleep(Duration::from_millis(100)).await;
    stop.cancelled().await;
}

/// Whether the connection has ended an hour after the stop.
async fn it_stops() -> bool {
    let stop = CancellationToken::new();
    let serving = tokio::spawn(connection(stop.clone()));
    sleep(Duration::from_millis(50)).await;
    stop.cancel();
    timeout(Duration::from_secs(60 * 60), serving).await.is_ok()
}
// ANCHOR_END: connection

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("stopped within an hour: {}", it_stops().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_stops_at_once() {
        let start = tokio::time::Instant::now();
        assert!(it_stops().await);
        assert_eq!(start.elapsed(), Duration::from_millis(100));
    }
}
