//! Takes up to ten ready readings without waiting for more.

// ANCHOR: ready
use std::{io, sync::Arc};

use futures::{Stream, StreamExt};
use tokio::time::{Duration, timeout};

const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// Writes the readings that arrived during the last write, up to ten.
/// Under load the batches are large, and without load nothing waits.
///
/// If dropped, it loses the batch that is being written, but no other
/// reading that it has taken.
///
/// # Errors
///
/// A write fails or takes more than ten seconds. Pass `&mut readings`
/// to keep the readings that follow the failed batch.
async fn write_all<F: Future<Output = io::Result<()>>>(
    readings: impl Stream<Item = u32>,
    mut write: impl FnMut(Arc<[u32]>) -> F,
) -> Result<(), Unwritten> {
    let mut batches = std::pin::pin!(readings.ready_chunks(10));
    while let Some(batch) = batches.next().await {
        let batch: Arc<[u32]> = batch.into();
        let written = timeout(WRITE_LIMIT, write(batch.clone())).await;
        written
            .map_err(io::Error::from)
            .flatten()
            .map_err(|source| Unwritten { batch, source })?;
    }
    Ok(())
}
// ANCHOR_END: ready

/// After a timeout, the batch may have been written anyway.
#[derive(Debug, thiserror::Error)]
#[error("a batch of {} readings wasn't written", .batch.len())]
struct Unwritten {
    batch: Arc<[u32]>,
    source: io::Error,
}

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_stream::wrappers::ReceiverStream;

/// A reading every 10 ms, eight in all.
async fn measure(queue: mpsc::Sender<u32>) {
    for reading in 1..=8 {
        if queue.send(reading).await.is_err() {
            return; // The receiver was dropped.
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// When each batch was written. A write takes 33 ms.
async fn run() -> Result<Vec<(u128, Arc<[u32]>)>, Unwritten> {
    let start = Instant::now();
    let (queue, readings) = mpsc::channel(16);
    let mut written = Vec::new();
    let write = |batch| {
        written.push((start.elapsed().as_millis(), batch));
        async {
            sleep(Duration::from_millis(33)).await;
            Ok(())
        }
    };
    let writing = write_all(ReceiverStream::new(readings), write);
    let ((), outcome) = tokio::join!(measure(queue), writing);
    outcome.map(|()| written)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Unwritten> {
    for (at, batch) in run().await? {
        println!("{at:>3} ms  {batch:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::ready};

    use futures::stream;
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_writes_make_larger_batches() {
        let written = run().await.expect("nothing fails");
        let written: Vec<_> = written
            .iter()
            .map(|(at, batch)| (*at, &batch[..]))
            .collect();
        let expected = [
            (0, &[1][..]),
            (33, &[2, 3, 4]),
            (66, &[5, 6, 7]),
            (99, &[8]),
        ];
        assert_eq!(written, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_writer_is_an_error() {
        let hangs = |_| std::future::pending();
        let writing = write_all(stream::iter([1, 2]), hangs);
        let error = within(HOUR, writing).await.expect_err("it hangs");
        assert_eq!(error.batch[..], [1, 2]);
        assert_eq!(error.source.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn failure_of_any_write_returns_its_batch() {
        for fails in 0..3 {
            let mut writes = 0;
            let write = |_| {
                writes += 1;
                let full = io::Error::other("disk full");
                ready(if writes > fails { Err(full) } else { Ok(()) })
            };
            let mut readings = stream::iter(0..25);
            let error = write_all(&mut readings, write)
                .await
                .expect_err("one write fails");
            assert_eq!(error.batch[0], 10 * fails);
            assert_eq!(error.source.to_string(), "disk full");
            let rest: Vec<_> = readings.collect().await;
            assert_eq!(
                rest.len() + error.batch.len(),
                25 - 10 * fails as usize
            );
        }
    }

    #[tokio::test]
    async fn overload_writes_ten_at_most() {
        let mut sizes = Vec::new();
        let write = |batch: Arc<[u32]>| {
            sizes.push(batch.len());
            ready(Ok(()))
        };
        let outcome = write_all(stream::iter(0..25), write).await;
        assert!(outcome.is_ok());
        assert_eq!(sizes, [10, 10, 5]);
    }

    #[tokio::test]
    async fn edges_no_reading() {
        let write = |_| -> std::future::Ready<_> {
            unreachable!("there is nothing to write")
        };
        assert!(write_all(stream::empty(), write).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_loses_only_the_batch_that_is_being_written() {
        at_every_poll(async |cancel| {
            let (queue, readings) = mpsc::channel(16);
            let mut readings = ReceiverStream::new(readings);
            let (sent, taken) = (Cell::new(0), Cell::new(0));
            let count = &sent;
            let measure = async move {
                for reading in 0..8 {
                    queue.send(reading).await.expect("it is read");
                    count.set(count.get() + 1);
                    sleep(Duration::from_millis(10)).await;
                }
            };
            let write = |batch: Arc<[u32]>| {
                taken.set(taken.get() + batch.len());
                async {
                    sleep(Duration::from_millis(33)).await;
                    Ok(())
                }
            };
            let run = async {
                let writing = write_all(&mut readings, write);
                tokio::join!(measure, writing)
            };
            cancel.run(run).await;
            // What wasn't taken for a write is still in the queue.
            readings.close();
            let rest = readings.count().await;
            assert_eq!(taken.get() + rest, sent.get());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_by_ending_the_source_writes_the_rest() {
        let (queue, readings) = mpsc::channel(16);
        for reading in 0..13 {
            queue.try_send(reading).expect("there is room");
        }
        drop(queue);
        let mut written = 0;
        let write = |batch: Arc<[u32]>| {
            written += batch.len();
            ready(Ok(()))
        };
        let readings = ReceiverStream::new(readings);
        assert!(write_all(readings, write).await.is_ok());
        assert_eq!(written, 13);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_can_be_spawned() {
        let (queue, readings) = mpsc::channel(1);
        let writing = tokio::spawn(write_all(
            ReceiverStream::new(readings),
            async |_| Ok(()),
        ));
        for reading in 0..1000 {
            queue.send(reading).await.expect("it is read");
        }
        drop(queue);
        writing.await.expect("no panic").expect("no failure");
    }
}
