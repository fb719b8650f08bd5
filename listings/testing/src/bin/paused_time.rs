//! Test a session of more than an hour in an instant.

// ANCHOR: serve
use tokio::{
    sync::mpsc,
    time::{Duration, timeout},
};

const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Serves a session until its client disconnects or has sent nothing
/// for half an hour. Returns the number of requests.
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
    async fn silence_of_half_an_hour_closes_it() {
        let (_sender, requests) = mpsc::channel(8);
        let start = Instant::now();
        assert_eq!(serve(requests).await, 0);
        assert_eq!(start.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_request_in_the_last_moment_keeps_it_open() {
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

    // ANCHOR: rounds
    #[tokio::test(start_paused = true)]
    async fn clock_rounds_up_to_the_next_millisecond() {
        let start = Instant::now();
        sleep(Duration::from_micros(1_500)).await;
        assert_eq!(start.elapsed(), Duration::from_millis(2));
        sleep(Duration::from_nanos(1)).await;
        assert_eq!(start.elapsed(), Duration::from_millis(3));
    }
    // ANCHOR_END: rounds

    #[tokio::test(flavor = "multi_thread")]
    async fn owner_gone_it_ends_with_the_client() {
        let (sender, requests) = mpsc::channel(8);
        sender.send("list orders").await.expect("there is room");
        drop(sender);
        assert_eq!(serve(requests).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_senders_an_error() {
        hazards::at_every_poll(async |cancel| {
            let (sender, requests) = mpsc::channel(1);
            let client = async {
                for _ in 0..3 {
                    sender.send("list orders").await?;
                }
                Ok::<_, mpsc::error::SendError<_>>(())
            };
            let served = async { cancel.run(serve(requests)).await };
            let (sent, served) = tokio::join!(client, served);
            assert!(served.is_none() || sent.is_ok());
            assert!(sent.is_err() || sender.is_closed());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn overload_makes_the_client_wait() {
        let (sender, requests) = mpsc::channel(1);
        let client = async move {
            for _ in 0..100 {
                sender.send("list orders").await.expect("it serves");
            }
        };
        let (served, ()) = tokio::join!(serve(requests), client);
        assert_eq!(served, 100);
    }
}
