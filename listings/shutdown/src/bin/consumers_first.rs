//! Wrong: all stages stop at the same time, so queued values are lost.

// ANCHOR: wrong
use tokio::{
    sync::mpsc,
    time::{Duration, sleep},
};
use tokio_util::sync::CancellationToken;

/// Reads a sensor every 100 ms; storing a value takes 250 ms. Returns
/// how many values were read and how many were stored.
async fn measure() -> (u32, u32) {
    let stop = CancellationToken::new();
    let (values, mut queue) = mpsc::channel(32);
    let reading = tokio::spawn(read(values, stop.clone()));
    let stopped = stop.clone();
    let storing = tokio::spawn(async move {
        let mut stored = 0;
        // Wrong: on a stop, the queued values are dropped.
        while let Some(Some(value)) =
            stopped.run_until_cancelled(queue.recv()).await
        {
            store(value).await;
            stored += 1;
        }
        stored
    });
    sleep(Duration::from_secs(1)).await;
    stop.cancel();
    let read = reading.await.expect("it does not panic");
    (read, storing.await.expect("it does not panic"))
}
// ANCHOR_END: wrong

/// Reads until the stop, or until nothing stores the values anymore.
async fn read(
    values: mpsc::Sender<u32>,
    stop: CancellationToken,
) -> u32 {
    let mut read = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return read,
            () = sleep(Duration::from_millis(100)) => {}
        }
        if values.send(read).await.is_err() {
            return read;
        }
        read += 1;
    }
}

async fn store(_value: u32) {
    sleep(Duration::from_millis(250)).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (read, stored) = measure().await;
    println!("read {read}, stored {stored}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_stores_every_value() {
        // It doesn't.
        let (read, stored) = measure().await;
        assert!(stored < read, "read {read}, stored {stored}");
    }
}
