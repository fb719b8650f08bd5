//! A batch is written when it's full, or after 100 ms.

// ANCHOR: in_time
use std::{io, sync::Arc};

use futures::{Stream, StreamExt};
use tokio::time::{Duration, timeout};

const PATIENCE: Duration = Duration::from_millis(100);
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// Writes ten readings at a time, or fewer 100 ms after the first of
/// them was taken. No reading is taken during a write, so a reading
/// that arrives then also waits for the write to finish, and for
/// several writes if there is a backlog.
///
/// If dropped, it loses up to nine readings or the batch that is being
/// written. To stop without a loss, end `readings`.
///
/// # Errors
///
/// A write fails or takes more than ten seconds. Pass `&mut readings`
/// to keep the readings that follow the failed batch.
async fn write_all<F: Future<Output = io::Result<()>>>(
    readings: impl Stream<Item = u32>,
    mut write: impl FnMut(Arc<[u32]>) -> F,
) -> Result<(), Unwritten> {
    let batches =
        tokio_stream::StreamExt::chunks_timeout(readings, 10, PATIENCE);
    let mut batches = std::pin::pin!(batches);
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
// ANCHOR_END: in_time

// ANCHOR: unwritten
/// After a timeout, the batch may have been written anyway.
#[derive(Debug, thiserror::Error)]
#[error("a batch of {} readings wasn't written", .batch.len())]
struct Unwritten {
    batch: Arc<[u32]>,
    source: io::Error,
}
// ANCHOR_END: unwritten

use tokio::time::{Instant, sleep};

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
async fn main() -> Result<(), Unwritten> {
    let start = Instant::now();
    let write = async |batch: Arc<[u32]>| {
        println!("{} ms  {batch:?}", start.elapsed().as_millis());
        Ok(())
    };
    let hour = Duration::from_secs(3600);
    match timeout(hour, write_all(readings(), write)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            println!("an hour later");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::ready};

    use hazards::{HOUR, at_every_poll, within};
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    /// What was written within an hour, and when.
    async fn written(
        readings: impl Stream<Item = u32>,
        write_takes: Duration,
    ) -> Vec<(u128, Vec<u32>)> {
        let start = Instant::now();
        let written = RefCell::new(Vec::new());
        let write = |batch: Arc<[u32]>| {
            let at = start.elapsed().as_millis();
            written.borrow_mut().push((at, batch.to_vec()));
            async move {
                sleep(write_takes).await;
                Ok(())
            }
        };
        let writing = write_all(readings, write);
        timeout(HOUR, writing).await.ok();
        written.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn silence_after_three_readings() {
        let written = written(readings(), Duration::ZERO).await;
        assert_eq!(written, [(100, vec![1, 2, 3])]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_writer_is_an_error() {
        let hangs = |_| std::future::pending();
        let writing = write_all(readings(), hangs);
        let error = within(HOUR, writing).await.expect_err("it hangs");
        assert_eq!(error.batch[..], [1, 2, 3]);
        assert_eq!(error.source.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_writes_add_to_the_delay() {
        let (queue, readings) = mpsc::channel(100);
        let measure = async move {
            queue.send(1).await.expect("it is read");
            sleep(Duration::from_millis(150)).await;
            queue.send(2).await.expect("it is read");
            sleep(Duration::from_secs(7200)).await;
        };
        let takes = Duration::from_millis(500);
        let writing = written(ReceiverStream::new(readings), takes);
        let written = tokio::select! {
            written = writing => written,
            () = measure => unreachable!("it takes longer"),
        };
        // Reading 2 arrives at 150 ms, during the write from 100 ms to
        // 600 ms, and waits 100 ms after that.
        assert_eq!(written, [(100, vec![1]), (700, vec![2])]);
    }

    #[tokio::test]
    async fn overload_fills_every_batch() {
        let readings = futures::stream::iter(0..25);
        let written = written(readings, Duration::ZERO).await;
        let sizes: Vec<_> =
            written.iter().map(|(_, batch)| batch.len()).collect();
        assert_eq!(sizes, [10, 10, 5]);
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
            let readings = futures::stream::iter(0..25);
            let error = write_all(readings, write)
                .await
                .expect_err("one write fails");
            assert_eq!(error.batch[0], 10 * fails);
            assert_eq!(error.source.to_string(), "disk full");
        }
    }

    #[tokio::test]
    async fn failure_leaves_the_rest_to_the_caller() {
        let mut readings = futures::stream::iter(0..25);
        let full = |_| ready(Err(io::Error::other("disk full")));
        let error = write_all(&mut readings, full).await;
        let batch = error.expect_err("it fails").batch;
        assert!(batch.iter().copied().eq(0..10));
        let rest = written(&mut readings, Duration::ZERO).await;
        let rest = rest.into_iter().flat_map(|(_, batch)| batch);
        assert!(rest.eq(10..25));
    }

    #[tokio::test(start_paused = true)]
    async fn stop_by_ending_the_source_writes_the_rest() {
        for count in 0..30 {
            let (queue, readings) = mpsc::channel(100);
            for reading in 0..count {
                queue.try_send(reading).expect("there is room");
            }
            drop(queue);
            let readings = ReceiverStream::new(readings);
            let written = written(readings, Duration::ZERO).await;
            let all = written.into_iter().flat_map(|(_, batch)| batch);
            assert!(all.eq(0..count));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_loses_no_more_than_documented() {
        at_every_poll(async |cancel| {
            let (taken, mut written) = (RefCell::new(0), 0);
            let readings = futures::stream::iter(0..25)
                .inspect(|_| *taken.borrow_mut() += 1);
            // The batch counts when its write is complete.
            let complete = RefCell::new(0);
            let write = |batch: Arc<[u32]>| {
                let complete = &complete;
                async move {
                    tokio::task::yield_now().await;
                    *complete.borrow_mut() += batch.len();
                    Ok(())
                }
            };
            cancel.run(write_all(readings, write)).await;
            written += complete.into_inner();
            assert!(taken.into_inner() - written <= 10);
        })
        .await;
    }

    #[tokio::test]
    async fn edges_no_reading_and_one() {
        let none = written(futures::stream::empty(), Duration::ZERO);
        assert!(none.await.is_empty());
        let one = written(futures::stream::iter([1]), Duration::ZERO);
        assert_eq!(one.await.len(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_can_be_spawned() {
        let (queue, readings) = mpsc::channel(1);
        let database =
            Arc::new(std::sync::Mutex::new(Vec::<u32>::new()));
        let rows = database.clone();
        let writing = tokio::spawn(write_all(
            ReceiverStream::new(readings),
            move |batch| {
                let rows = rows.clone();
                async move {
                    rows.lock().expect("no panic").extend(&batch[..]);
                    Ok(())
                }
            },
        ));
        for reading in 0..1000 {
            queue.send(reading).await.expect("it is read");
        }
        drop(queue);
        writing.await.expect("no panic").expect("no failure");
        let rows = database.lock().expect("no panic");
        assert!(rows.iter().copied().eq(0..1000));
    }
}
