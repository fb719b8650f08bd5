//! Wrong: a task that subscribes after the send misses the shutdown.

// ANCHOR: wrong
use tokio::{
    sync::broadcast,
    time::{Duration, sleep, timeout},
};

/// Sets a connection up, which takes a while, and serves it until the
/// shutdown.
async fn connection(stop: broadcast::Sender<()>) {
    sleep(Duration::from_millis(100)).await;
    // Wrong: the message was sent 50 ms ago.
    let mut stopped = stop.subscribe();
    let _ = stopped.recv().await;
}

/// Returns whether the connection ends within an hour.
async fn it_stops() -> bool {
    let (stop, _) = broadcast::channel(1);
    let serving = tokio::spawn(connection(stop.clone()));
    sleep(Duration::from_millis(50)).await;
    let _ = stop.send(());
    timeout(Duration::from_secs(60 * 60), serving).await.is_ok()
}
// ANCHOR_END: wrong

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("stopped within an hour: {}", it_stops().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_reaches_a_connection_that_starts_late() {
        // It doesn't.
        assert!(!it_stops().await);
    }
}
