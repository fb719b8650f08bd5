//! Wrong: a batch that isn't full isn't written.

use futures::{Stream, StreamExt};
use tokio::time::{Duration, Instant, sleep, timeout};

// ANCHOR: wrong
/// Wrong: `chunks` waits for ten readings, or for the end of the
/// stream. With a quiet sensor, neither comes.
async fn write_all(
    readings: impl Stream<Item = u32>,
    mut write: impl AsyncFnMut(Vec<u32>),
) {
    let mut batches = std::pin::pin!(readings.chunks(10));
    while let Some(batch) = batches.next().await {
        write(batch).await;
    }
}
// ANCHOR_END: wrong

/// Three readings, and then silence for two hours.
fn readings() -> impl Stream<Item = u32> {
    async_stream::stream! {
        for reading in 1..=3 {
            yield reading;
        }
        sleep(Duration::from_secs(7200)).await;
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let write = async |batch: Vec<u32>| {
        println!("{} ms  {batch:?}", start.elapsed().as_millis());
    };
    let hour = Duration::from_secs(3600);
    if timeout(hour, write_all(readings(), write)).await.is_err() {
        println!("an hour later");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_after_three_readings() {
        let mut written = Vec::new();
        let write = async |batch| written.push(batch);
        let writing = write_all(readings(), write);
        assert!(timeout(hazards::HOUR, writing).await.is_err());
        assert!(written.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_end_of_the_stream_flushes() {
        let mut written = Vec::new();
        let write = async |batch| written.push(batch);
        write_all(tokio_stream::iter([1, 2]), write).await;
        assert_eq!(written, [[1, 2]]);
    }
}
