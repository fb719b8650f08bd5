//! A task reads ahead, and its readings are a stream.

// ANCHOR: readings
use futures::{Stream, StreamExt, stream};
use tokio::{
    sync::mpsc,
    time::{Duration, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;

const LIMIT: Duration = Duration::from_secs(1);

/// Reads the meter even while the stream isn't polled. Two
/// readings are queued, and the task holds a third until there's room.
/// After a second without a reading, it drops the future and calls
/// `read_meter` again, which must not take a late answer for a new one.
///
/// If dropped, the stream aborts its task, even while the task waits
/// for the meter.
fn readings<F>(
    mut read_meter: impl FnMut() -> F + Send + 'static,
) -> impl Stream<Item = Result<u32, NoReading>>
where
    F: Future<Output = u32> + Send + 'static,
{
    let (queue, readings) = mpsc::channel(2);
    let reading = tokio::spawn(async move {
        loop {
            let reading = timeout(LIMIT, read_meter()).await;
            let reading = reading.map_err(NoReading::Silent);
            if queue.send(reading).await.is_err() {
                return;
            }
        }
    });
    // The queue also closes when the task panics: the last item says so.
    let ended = stream::once(AbortOnDropHandle::new(reading));
    let panicked = ended.filter_map(async |ended| ended.err());
    ReceiverStream::new(readings)
        .chain(panicked.map(|error| Err(NoReading::Panicked(error))))
}
// ANCHOR_END: readings

use tokio::{
    task::JoinError,
    time::{Instant, error::Elapsed, sleep},
};

#[derive(Debug, thiserror::Error)]
enum NoReading {
    #[error("the meter doesn't answer")]
    Silent(#[source] Elapsed),
    #[error("the task that reads the meter has failed")]
    Panicked(#[source] JoinError),
}

/// Takes three readings, and works on each for 300 ms. A reading takes
/// 100 ms. Returns how many were read.
async fn take_three() -> Result<u32, NoReading> {
    let start = Instant::now();
    let meter = Arc::new(AtomicU32::new(0));
    let (read, count) = (meter.clone(), meter);
    let readings = readings(move || {
        let read = read.clone();
        async move {
            sleep(Duration::from_millis(100)).await;
            5 * read.fetch_add(1, Ordering::Relaxed)
        }
    });
    let mut readings = std::pin::pin!(readings.take(3));
    while let Some(reading) = readings.next().await {
        let at = start.elapsed().as_millis();
        println!("{at:>3} ms  reading {}", reading?);
        sleep(Duration::from_millis(300)).await;
    }
    Ok(count.load(Ordering::Relaxed))
}

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), NoReading> {
    println!("{} were read", take_three().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, no_task_left, within};

    use super::*;

    /// Reads 0, 1, 2, and so on, one every 100 ms.
    fn counting() -> impl Stream<Item = Result<u32, NoReading>> {
        let mut number = 0;
        readings(move || {
            let reading = number;
            number += 1;
            async move {
                sleep(Duration::from_millis(100)).await;
                reading
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reader_bounds_how_far_it_reads_ahead() {
        // Three were taken, two in the queue, and one in its hands.
        assert_eq!(take_three().await.expect("no failure"), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_meter_is_an_item() {
        let readings = readings(std::future::pending);
        let mut readings = std::pin::pin!(readings.take(2));
        for _ in 0..2 {
            let item = within(HOUR, readings.next()).await;
            assert!(matches!(item, Some(Err(NoReading::Silent(_)))));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_the_task_ends() {
        for quiet in [true, false] {
            let stream = match quiet {
                true => readings(std::future::pending).boxed(),
                false => counting().boxed(),
            };
            tokio::task::yield_now().await;
            drop(stream);
            no_task_left().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_task_is_the_last_item() {
        for good in [0, 1, 5] {
            let mut number = 0;
            let readings = readings(move || {
                number += 1;
                assert!(number <= good, "the meter is unplugged");
                async move { number }
            });
            let seen: Vec<_> = within(HOUR, readings.collect()).await;
            assert_eq!(seen.len(), good as usize + 1);
            let last = seen.into_iter().last().expect("an item");
            let Err(NoReading::Panicked(error)) = last else {
                unreachable!("the task has panicked");
            };
            assert!(error.to_string().contains("unplugged"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_loses_no_reading() {
        let mut readings = std::pin::pin!(counting());
        let mut seen = Vec::new();
        while seen.len() < 10 {
            let soon = Duration::from_millis(7);
            let next = timeout(soon, readings.next()).await;
            seen.extend(next.ok().flatten().transpose().ok().flatten());
        }
        assert!(seen.into_iter().eq(0..10));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_dropped_before_it_is_asked() {
        let read = Arc::new(AtomicU32::new(0));
        let count = read.clone();
        drop(readings(move || {
            count.fetch_add(1, Ordering::Relaxed);
            async { 1 }
        }));
        no_task_left().await;
        assert_eq!(read.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_keep_the_order() {
        let mut number = 0;
        let readings = readings(move || {
            number += 1;
            std::future::ready(number)
        });
        let readings = readings.take(1000);
        let seen: Vec<_> =
            readings.map(|it| it.expect("it answers")).collect().await;
        assert!(seen.into_iter().eq(1..=1000));
    }
}
