//! On shutdown, the partial batch is written too.

// ANCHOR: kept
use std::{io, sync::Arc};

use futures::{Stream, StreamExt};
use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;

/// Writes in batches until the stop, and then the partial batch. A
/// write in progress is finished. Readings still in `readings` are
/// dropped. If this future is dropped, it also loses the partial batch
/// and the batch that is being written.
///
/// # Errors
///
/// A write fails or takes more than ten seconds. The batch is in the
/// error.
async fn write_until<F: Future<Output = io::Result<()>>>(
    stop: CancellationToken,
    readings: impl Stream<Item = u32>,
    mut write: impl FnMut(Arc<[u32]>) -> F,
) -> Result<(), Unwritten> {
    let minute = Duration::from_secs(60);
    let batches =
        tokio_stream::StreamExt::chunks_timeout(readings, 3, minute);
    let mut batches = std::pin::pin!(batches);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            batch = batches.next() => match batch {
                Some(batch) => in_time(batch, &mut write).await?,
                None => break,
            },
        }
    }
    let rest = batches.as_mut().into_remainder();
    if !rest.is_empty() {
        in_time(rest, &mut write).await?;
    }
    Ok(())
}
// ANCHOR_END: kept

// ANCHOR: in_time
/// Writes one batch, and returns it in the error if that fails.
async fn in_time<F: Future<Output = io::Result<()>>>(
    batch: Vec<u32>,
    write: &mut impl FnMut(Arc<[u32]>) -> F,
) -> Result<(), Unwritten> {
    let limit = Duration::from_secs(10);
    let batch: Arc<[u32]> = batch.into();
    let written = timeout(limit, write(batch.clone())).await;
    written
        .map_err(io::Error::from)
        .flatten()
        .map_err(|source| Unwritten { batch, source })
}
// ANCHOR_END: in_time

/// After a timeout, the batch may have been written anyway.
#[derive(Debug, thiserror::Error)]
#[error("a batch of {} readings wasn't written", .batch.len())]
struct Unwritten {
    batch: Arc<[u32]>,
    source: io::Error,
}

use tokio::time::sleep;

/// A reading every second.
fn readings() -> impl Stream<Item = u32> {
    futures::stream::iter(1..).then(async |reading| {
        sleep(Duration::from_secs(1)).await;
        reading
    })
}

/// What was written before a stop at this time, and after it.
async fn stop_after(after: Duration) -> Result<Vec<u32>, Unwritten> {
    let stop = CancellationToken::new();
    let mut written = Vec::new();
    let write = |batch: Arc<[u32]>| {
        written.extend(&batch[..]);
        std::future::ready(Ok(()))
    };
    let stop_later = async {
        sleep(after).await;
        stop.cancel();
    };
    let writing = write_until(stop.clone(), readings(), write);
    let (outcome, ()) = tokio::join!(writing, stop_later);
    outcome.map(|()| written)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Unwritten> {
    // Five readings come before the stop.
    let after = Duration::from_millis(5500);
    println!("{:?}", stop_after(after).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::ready};

    use futures::stream;
    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_in_the_middle_of_a_batch() {
        for tenths in 0..200 {
            // Between two readings, where the number is certain.
            let after = Duration::from_millis(100 * tenths + 50);
            let written = stop_after(after).await.expect("no failure");
            let came = u32::try_from(tenths / 10).expect("small");
            assert!(written.into_iter().eq(1..=came), "{after:?}");
        }
    }

    #[tokio::test]
    async fn stop_at_every_poll_writes_all_that_was_taken() {
        for polls in 0..60 {
            let stop = CancellationToken::new();
            let (taken, mut written) = (Cell::new(0), 0);
            let readings = stream::iter(0..10).then(async |reading| {
                yield_now().await;
                taken.set(taken.get() + 1);
                reading
            });
            let write = |batch: Arc<[u32]>| {
                written += batch.len();
                async {
                    yield_now().await;
                    Ok(())
                }
            };
            let later = async {
                for _ in 0..polls {
                    yield_now().await;
                }
                stop.cancel();
            };
            let writing = write_until(stop.clone(), readings, write);
            let (outcome, ()) = tokio::join!(writing, later);
            assert!(outcome.is_ok());
            assert_eq!(written, taken.get(), "after {polls} polls");
        }
    }

    #[tokio::test]
    async fn stop_leaves_what_is_in_the_queue() {
        let (queue, readings) = tokio::sync::mpsc::channel(8);
        for reading in 1..=5 {
            queue.try_send(reading).expect("there is room");
        }
        let mut readings =
            tokio_stream::wrappers::ReceiverStream::new(readings);
        let stop = CancellationToken::new();
        let mut written = Vec::<u32>::new();
        let write = |batch: Arc<[u32]>| {
            written.extend(&batch[..]);
            stop.cancel();
            ready(Ok(()))
        };
        let outcome =
            write_until(stop.clone(), &mut readings, write).await;
        assert!(outcome.is_ok());
        assert_eq!(written, [1, 2, 3]);
        readings.close();
        assert_eq!(readings.collect::<Vec<_>>().await, [4, 5]);
    }

    #[tokio::test]
    async fn edges_the_readings_end() {
        let mut written = Vec::new();
        let write = |batch: Arc<[u32]>| {
            written.push(batch.to_vec());
            ready(Ok(()))
        };
        let readings = tokio_stream::iter([1, 2, 3, 4]);
        let stop = CancellationToken::new();
        let outcome = write_until(stop, readings, write).await;
        assert!(outcome.is_ok());
        assert_eq!(written, [vec![1, 2, 3], vec![4]]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_writer_after_the_stop_is_an_error() {
        let stop = CancellationToken::new();
        let hangs = |_| std::future::pending();
        let writing = write_until(stop.clone(), readings(), hangs);
        let later = async {
            sleep(Duration::from_millis(1500)).await;
            stop.cancel();
        };
        let both = async { tokio::join!(writing, later).0 };
        let error = within(HOUR, both).await.expect_err("it hangs");
        assert_eq!(error.batch[..], [1]);
        assert_eq!(error.source.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_write_under_way_at_the_stop_is_finished() {
        let stop = CancellationToken::new();
        let mut written = 0;
        let write = |batch: Arc<[u32]>| {
            written += batch.len();
            async {
                sleep(Duration::from_secs(5)).await;
                Ok(())
            }
        };
        let writing = write_until(stop.clone(), readings(), write);
        let later = async {
            sleep(Duration::from_millis(3500)).await;
            stop.cancel();
        };
        let (outcome, ()) = tokio::join!(writing, later);
        assert!(outcome.is_ok());
        assert_eq!(written, 3);
    }

    #[tokio::test]
    async fn failure_of_any_write_returns_its_batch() {
        for fails in 0..4 {
            let mut writes = 0;
            let write = |_| {
                writes += 1;
                let full = io::Error::other("disk full");
                ready(if writes > fails { Err(full) } else { Ok(()) })
            };
            let stop = CancellationToken::new();
            let readings = stream::iter(0..10);
            let outcome = write_until(stop, readings, write).await;
            let error = outcome.expect_err("one write fails");
            assert_eq!(error.batch[0], 3 * fails);
            assert_eq!(error.source.to_string(), "disk full");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_nothing_running() {
        at_every_poll(async |cancel| {
            let stop = CancellationToken::new();
            let readings = readings().take(4);
            let write = |_| async {
                yield_now().await;
                Ok(())
            };
            cancel.run(write_until(stop, readings, write)).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_can_be_spawned() {
        let stop = CancellationToken::new();
        stop.cancel();
        let write = async |_| Ok(());
        let writing = write_until(stop, readings(), write);
        let outcome = tokio::spawn(writing).await;
        assert!(outcome.expect("no panic").is_ok());
    }
}
