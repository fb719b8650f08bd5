//! Send each reading where it's measured, so that they arrive in order.

// ANCHOR: in_place
use tokio::sync::mpsc::{self, Sender, error::SendError};

/// Sends the readings one after the other. If this future is dropped,
/// the rest isn't sent.
async fn measure(to: &Sender<u32>) -> Result<(), SendError<u32>> {
    for reading in [1, 2, 3, 4, 5] {
        to.send(reading).await?;
    }
    Ok(())
}
// ANCHOR_END: in_place

/// Everything that arrives, from a station in a task.
async fn arrivals() -> Vec<u32> {
    let (to, mut from) = mpsc::channel(8);
    let station = tokio::spawn(async move { measure(&to).await });
    let mut all = Vec::new();
    while let Some(reading) = from.recv().await {
        all.push(reading);
    }
    station.await.ok();
    all
}

#[tokio::main(worker_threads = 1)]
async fn main() {
    println!("{:?}", arrivals().await);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn threads_keep_the_order() {
        for _ in 0..100 {
            assert_eq!(arrivals().await, [1, 2, 3, 4, 5]);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_keep_the_order_on_four() {
        for _ in 0..100 {
            assert_eq!(arrivals().await, [1, 2, 3, 4, 5]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_receiver_makes_the_station_wait() {
        let (to, mut from) = mpsc::channel(1);
        let station = tokio::spawn(async move { measure(&to).await });
        sleep(Duration::from_secs(3600)).await;
        assert!(!station.is_finished());
        assert_eq!(from.len(), 1);
        for reading in 1..=5 {
            assert_eq!(from.recv().await, Some(reading));
        }
        assert_eq!(from.recv().await, None);
    }

    #[tokio::test]
    async fn failure_of_the_receiver_is_an_error() {
        let (to, from) = mpsc::channel(8);
        drop(from);
        assert_eq!(measure(&to).await, Err(SendError(1)));
    }

    #[tokio::test]
    async fn cancel_loses_only_the_rest() {
        hazards::at_every_poll(async |cancel| {
            let (to, mut from) = mpsc::channel(1);
            let mut all = Vec::new();
            let receive = async {
                while all.len() < 5 {
                    all.extend(from.recv().await);
                    tokio::task::yield_now().await;
                }
            };
            let work = async { tokio::join!(measure(&to), receive) };
            cancel.run(work).await;
            drop(to);
            while let Some(reading) = from.recv().await {
                all.push(reading);
            }
            // What arrived is the beginning, without a gap.
            assert!(all.iter().copied().eq((1..).take(all.len())));
        })
        .await;
    }
}
