//! Takes what is there, up to ten, and waits for no more.

// ANCHOR: ready
use futures::{Stream, StreamExt};

/// Writes what has gathered while it was writing. Under load the
/// batches are large, and without load nothing waits.
async fn write_all(
    readings: impl Stream<Item = u32>,
    mut write: impl AsyncFnMut(Vec<u32>),
) {
    let mut batches = std::pin::pin!(readings.ready_chunks(10));
    while let Some(batch) = batches.next().await {
        write(batch).await;
    }
}
// ANCHOR_END: ready

use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep},
};
use tokio_stream::wrappers::ReceiverStream;

/// A reading each 10 ms, and after a while they are over.
async fn measure(queue: mpsc::Sender<u32>) {
    for reading in 1..=8 {
        queue.send(reading).await.expect("they are written");
        sleep(Duration::from_millis(10)).await;
    }
}

/// When which batch was written. To write takes 33 ms.
async fn run() -> Vec<(u128, Vec<u32>)> {
    let start = Instant::now();
    let (queue, readings) = mpsc::channel(16);
    let mut written = Vec::new();
    let write = async |batch| {
        written.push((start.elapsed().as_millis(), batch));
        sleep(Duration::from_millis(33)).await;
    };
    let writing = write_all(ReceiverStream::new(readings), write);
    tokio::join!(measure(queue), writing);
    written
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (at, batch) in run().await {
        println!("{at:>3} ms  {batch:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_what_came_during_the_one_before() {
        let expected = [
            (0, vec![1]),
            (33, vec![2, 3, 4]),
            (66, vec![5, 6, 7]),
            (99, vec![8]),
        ];
        assert_eq!(run().await, expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn ten_at_most() {
        let mut written = Vec::new();
        let write = async |batch: Vec<u32>| written.push(batch.len());
        write_all(futures::stream::iter(0..25), write).await;
        assert_eq!(written, [10, 10, 5]);
    }
}
