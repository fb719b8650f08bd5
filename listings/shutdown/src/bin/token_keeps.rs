//! A token stays canceled, so a task that checks later also notices.

// ANCHOR: connection
use tokio::time::{Duration, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Sets a connection up, which takes a while, and serves it until the
/// shutdown. Its future can be dropped at any time.
async fn connection(stop: CancellationToken) {
    sleep(Duration::from_millis(100)).await;
    stop.cancelled().await;
}

/// Returns whether the connection ends within an hour.
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
    async fn stop_reaches_a_connection_that_starts_late() {
        let start = tokio::time::Instant::now();
        assert!(it_stops().await);
        assert_eq!(start.elapsed(), Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn stop_at_any_moment_reaches_it() {
        for millis in 0..200 {
            let stop = CancellationToken::new();
            let serving = tokio::spawn(connection(stop.clone()));
            sleep(Duration::from_millis(millis)).await;
            stop.cancel();
            let ended = hazards::within(hazards::HOUR, serving).await;
            ended.expect("no panic");
        }
    }

    /// A wait that was dropped, and a new one.
    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_wait_misses_nothing() {
        hazards::at_every_poll(async |cancel| {
            let stop = CancellationToken::new();
            let stops = stop.clone();
            let cancels = tokio::spawn(async move {
                sleep(Duration::from_millis(150)).await;
                stops.cancel();
            });
            cancel.run(connection(stop.clone())).await;
            let again = connection(stop);
            hazards::within(hazards::HOUR, again).await;
            cancels.await.expect("no panic");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_stopped_before_it_starts() {
        let stop = CancellationToken::new();
        stop.cancel();
        hazards::within(hazards::HOUR, connection(stop)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_all_hear_it() {
        for _ in 0..200 {
            let stop = CancellationToken::new();
            let mut waits = tokio::task::JoinSet::new();
            for _ in 0..20 {
                waits.spawn(stop.clone().cancelled_owned());
            }
            stop.cancel();
            waits.join_all().await;
        }
    }
}
