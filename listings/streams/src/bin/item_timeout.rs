//! Yields an error if no item arrives in time, and then continues.

use futures::{Stream, StreamExt, TryStreamExt};
use tokio::time::{Duration, Instant, sleep};

// ANCHOR: watched
/// The heartbeats of a peer. When none has come for ten seconds, it
/// yields one error, and then waits for the next heartbeat.
///
/// The ten seconds also run while the reader is busy: put a channel in
/// front, so that heartbeats that came meanwhile are ready.
fn watched(
    heartbeats: impl Stream<Item = u32>,
) -> impl Stream<Item = Result<u32, Elapsed>> {
    let limit = Duration::from_secs(10);
    tokio_stream::StreamExt::timeout(heartbeats, limit)
}

/// Handles heartbeats until the peer ends the stream. Returns an error
/// when none has come for ten seconds.
async fn until_silent(
    heartbeats: impl Stream<Item = u32>,
    mut handle: impl FnMut(u32),
) -> Result<(), Elapsed> {
    let handle = |number| {
        handle(number);
        std::future::ready(Ok(()))
    };
    watched(heartbeats).try_for_each(handle).await
}
// ANCHOR_END: watched

use tokio_stream::Elapsed;

/// Three heartbeats, and 35 seconds between the second and the third.
fn heartbeats() -> impl Stream<Item = u32> {
    let pauses = [5, 5, 35];
    futures::stream::iter((1..).zip(pauses)).then(
        async |(number, pause)| {
            sleep(Duration::from_secs(pause)).await;
            number
        },
    )
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let watch = watched(heartbeats()).for_each(async |beat| {
        let at = start.elapsed().as_secs();
        match beat {
            Ok(number) => println!("{at:>2} s  heartbeat {number}"),
            Err(error) => println!("{at:>2} s  {error}"),
        }
    });
    watch.await;
    let print = |number| println!("until silent: heartbeat {number}");
    match until_silent(heartbeats(), print).await {
        Ok(()) => println!("until silent: the end"),
        Err(error) => println!("until silent: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_one_error_and_the_stream_continues() {
        let beats: Vec<_> = watched(heartbeats()).collect().await;
        let in_time: Vec<_> = beats.iter().map(Result::is_ok).collect();
        assert_eq!(in_time, [true, true, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_for_good_ends_the_other_way() {
        let start = Instant::now();
        let mut seen = Vec::new();
        let keep = |number| seen.push(number);
        assert!(until_silent(heartbeats(), keep).await.is_err());
        assert_eq!(seen, [1, 2]);
        assert_eq!(start.elapsed().as_secs(), 20);
        let never = futures::stream::pending();
        let ended = within(HOUR, until_silent(never, |_| ())).await;
        assert!(ended.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reader_sees_no_silence_that_was_none() {
        let (queue, beats) = mpsc::channel(100);
        let beat = async move {
            for number in 0..20 {
                sleep(Duration::from_secs(5)).await;
                queue.send(number).await.ok();
            }
        };
        let read = async {
            let beats = watched(ReceiverStream::new(beats));
            let mut beats = std::pin::pin!(beats);
            let mut count = 0;
            while let Some(beat) = beats.next().await {
                assert!(beat.is_ok());
                count += 1;
                sleep(Duration::from_secs(17)).await;
            }
            count
        };
        let (count, ()) = tokio::join!(read, beat);
        assert_eq!(count, 20);
    }

    /// A source that only works while it's polled, without a channel.
    #[tokio::test(start_paused = true)]
    async fn slow_reader_of_a_lazy_source_sees_a_silence() {
        let beats = heartbeats().take(2);
        let mut beats = Box::pin(watched(beats));
        assert!(beats.next().await.is_some_and(|it| it.is_ok()));
        sleep(Duration::from_secs(17)).await;
        assert!(beats.next().await.is_some_and(|it| it.is_err()));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_does_not_extend_the_limit() {
        at_every_poll(async |cancel| {
            let start = Instant::now();
            let mut beats =
                Box::pin(watched(futures::stream::pending()));
            let mut first = cancel.run(beats.next()).await;
            if first.is_none() {
                sleep(Duration::from_secs(3)).await;
                first = Some(beats.next().await);
            }
            assert!(first.flatten().is_some_and(|it| it.is_err()));
            // The time limit was running even before the first poll.
            assert_eq!(start.elapsed().as_secs(), 10);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_no_heartbeat_and_all_in_time() {
        let beats = watched(tokio_stream::iter([1, 2]));
        assert!(beats.all(async |beat| beat.is_ok()).await);
        assert_eq!(watched(tokio_stream::empty()).count().await, 0);
        let all = tokio_stream::iter([1, 2]);
        assert_eq!(until_silent(all, |_| ()).await, Ok(()));
    }
}
