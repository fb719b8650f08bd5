//! Wrong: on shutdown, the partial batch is dropped with the stream.

use futures::{Stream, StreamExt};
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

// ANCHOR: wrong
/// Wrong: when `batches` is dropped, it drops the readings that it has
/// collected for the next batch.
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
}
// ANCHOR_END: wrong

/// A reading every second.
fn readings() -> impl Stream<Item = u32> {
    futures::stream::iter(1..).then(async |reading| {
        sleep(Duration::from_secs(1)).await;
        reading
    })
}

/// Five readings come before the stop.
async fn stop_after_five() -> Vec<u32> {
    let stop = CancellationToken::new();
    let mut written = Vec::new();
    let write = async |batch| written.extend(batch);
    let stop_later = async {
        sleep(Duration::from_millis(5500)).await;
        stop.cancel();
    };
    let writing = write_until(stop.clone(), readings(), write);
    tokio::join!(writing, stop_later);
    written
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("{:?}", stop_after_five().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_in_the_middle_of_a_batch() {
        assert_eq!(stop_after_five().await, [1, 2, 3]);
    }
}
