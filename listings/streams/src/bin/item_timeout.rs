//! Each item in time, or an error in its place. The stream goes on.

use futures::{Stream, StreamExt};
use tokio::time::{Duration, Instant, sleep};

// ANCHOR: watched
/// The heartbeats of a peer. Where none came for ten seconds, an
/// error stands in its place, once. Then it waits for the next one.
fn watched(
    heartbeats: impl Stream<Item = u32>,
) -> impl Stream<Item = Result<u32, Elapsed>> {
    let limit = Duration::from_secs(10);
    tokio_stream::StreamExt::timeout(heartbeats, limit)
}

/// The same, and ends at the first time that none came.
fn until_silent(
    heartbeats: impl Stream<Item = u32>,
) -> impl Stream<Item = u32> {
    let in_time = watched(heartbeats);
    in_time
        .take_while(|beat| std::future::ready(beat.is_ok()))
        .filter_map(async |beat| beat.ok())
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
    println!(
        "until silent: {}",
        until_silent(heartbeats()).count().await
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_error_for_a_silence_and_the_stream_goes_on() {
        let beats: Vec<_> = watched(heartbeats()).collect().await;
        let in_time: Vec<_> = beats.iter().map(Result::is_ok).collect();
        assert_eq!(in_time, [true, true, false, true]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_is_in_time_gives_no_error() {
        let beats = watched(tokio_stream::iter([1, 2]));
        assert!(beats.all(async |beat| beat.is_ok()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_at_the_first_silence() {
        let start = Instant::now();
        assert_eq!(until_silent(heartbeats()).count().await, 2);
        assert_eq!(start.elapsed().as_secs(), 20);
    }
}
