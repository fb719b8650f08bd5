//! A session of an hour and more, tested in no time.

// ANCHOR: serve
use tokio::{
    sync::mpsc,
    time::{Duration, timeout},
};

const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Serves a session until no request has come for half an hour.
/// Returns how many there were.
async fn serve(mut requests: mpsc::Receiver<&str>) -> u32 {
    let mut served = 0;
    while let Ok(Some(_)) = timeout(PATIENCE, requests.recv()).await {
        served += 1;
    }
    served
}
// ANCHOR_END: serve

use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), mpsc::error::SendError<&'static str>> {
    let start = Instant::now();
    let (sender, requests) = mpsc::channel(8);
    let serving = tokio::spawn(serve(requests));
    sleep(20 * MINUTE).await;
    sender.send("list orders").await?;
    sleep(29 * MINUTE).await;
    sender.send("pay order 17").await?;
    let served = serving.await.expect("it does not panic");
    let minutes = start.elapsed().as_secs() / 60;
    println!("{served} requests, closed after {minutes} minutes");
    Ok(())
}

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_closes_after_half_an_hour_of_silence() {
        let (_sender, requests) = mpsc::channel(8);
        let start = Instant::now();
        assert_eq!(serve(requests).await, 0);
        assert_eq!(start.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_the_last_moment_keeps_it_open() {
        let (sender, requests) = mpsc::channel(8);
        let start = Instant::now();
        let client = async {
            sleep(PATIENCE - Duration::from_millis(1)).await;
            sender.send("list orders").await
        };
        let (served, sent) = tokio::join!(serve(requests), client);
        assert!(sent.is_ok());
        assert_eq!(served, 1);
        let after_it = start.elapsed() - PATIENCE;
        assert_eq!(after_it, PATIENCE - Duration::from_millis(1));
    }
    // ANCHOR_END: tests

    #[tokio::test(flavor = "multi_thread")]
    async fn it_ends_with_the_client() {
        let (sender, requests) = mpsc::channel(8);
        sender.send("list orders").await.expect("there is room");
        drop(sender);
        assert_eq!(serve(requests).await, 1);
    }
}
