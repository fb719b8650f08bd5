//! A batch is written when it is full, or after 100 ms.

use futures::{Stream, StreamExt};
use tokio::time::{Duration, Instant, sleep, timeout};

// ANCHOR: in_time
/// Writes ten readings at once, or what has come 100 ms after the
/// first one of a batch.
async fn write_all(
    readings: impl Stream<Item = u32>,
    mut write: impl AsyncFnMut(Vec<u32>),
) {
    let patience = Duration::from_millis(100);
    let batches =
        tokio_stream::StreamExt::chunks_timeout(readings, 10, patience);
    let mut batches = std::pin::pin!(batches);
    while let Some(batch) = batches.next().await {
        write(batch).await;
    }
}
// ANCHOR_END: in_time

/// Three readings, and then it is quiet for two hours.
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
    async fn what_is_there_is_written_in_time() {
        let start = Instant::now();
        let mut written = Vec::new();
        let write = async |batch: Vec<u32>| {
            written.push((start.elapsed().as_millis(), batch));
        };
        let hour = Duration::from_secs(3600);
        let writing = write_all(readings(), write);
        assert!(timeout(hour, writing).await.is_err());
        assert_eq!(written, [(100, vec![1, 2, 3])]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_batch_does_not_wait() {
        let mut written = Vec::new();
        let write = async |batch: Vec<u32>| written.push(batch.len());
        write_all(tokio_stream::iter(0..25), write).await;
        assert_eq!(written, [10, 10, 5]);
    }
}
