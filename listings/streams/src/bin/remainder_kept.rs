//! At the stop, the batch that is not full is written too.

use futures::{Stream, StreamExt};
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

// ANCHOR: kept
/// Writes in batches until the stop, and then what was gathered.
async fn write_until(
    stop: CancellationToken,
    readings: impl Stream<Item = u32>,
    mut write: impl AsyncFnMut(Vec<u32>),
) {
    let minute = Duration::from_secs(60);
    let batches =
        tokio_stream::StreamExt::chunks_timeout(readings, 3, minute);
    let mut batches = std::pin::pin!(batches);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            batch = batches.next() => match batch {
                Some(batch) => write(batch).await,
                None => break,
            },
        }
    }
    let rest = batches.as_mut().into_remainder();
    if !rest.is_empty() {
        write(rest).await;
    }
}
// ANCHOR_END: kept

/// A reading each second.
fn readings() -> impl Stream<Item = u32> {
    futures::stream::iter(1..).then(async |reading| {
        sleep(Duration::from_secs(1)).await;
        reading
    })
}

/// What was written until a stop at this time, and at it.
async fn stop_after(after: Duration) -> Vec<u32> {
    let stop = CancellationToken::new();
    let mut written = Vec::new();
    let write = async |batch| written.extend(batch);
    let stop_later = async {
        sleep(after).await;
        stop.cancel();
    };
    let writing = write_until(stop.clone(), readings(), write);
    tokio::join!(writing, stop_later);
    written
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    // Five readings come before the stop.
    let after = Duration::from_millis(5500);
    println!("{:?}", stop_after(after).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_reading_is_lost_whenever_it_stops() {
        for tenths in 0..200 {
            // Between two readings, where the number is certain.
            let after = Duration::from_millis(100 * tenths + 50);
            let written = stop_after(after).await;
            let came = u32::try_from(tenths / 10).expect("small");
            assert!(written.into_iter().eq(1..=came), "{after:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn where_the_readings_end_nothing_is_left() {
        let mut written = Vec::new();
        let write = async |batch| written.push(batch);
        let readings = tokio_stream::iter([1, 2, 3, 4]);
        write_until(CancellationToken::new(), readings, write).await;
        assert_eq!(written, [vec![1, 2, 3], vec![4]]);
    }
}
