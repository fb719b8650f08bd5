//! Storing belongs to the future: nothing is left to stand still.

use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::{Instant, error::Elapsed, sleep, timeout};

const LIMIT: Duration = Duration::from_millis(150);

// ANCHOR: import_all
/// Downloads and stores, four photos at a time.
///
/// The body of the loop does not wait for anything, so the stream is
/// polled whenever there is something to do.
async fn import_all(photos: Vec<u32>) -> Vec<(u32, Outcome)> {
    let mut imports = stream::iter(photos)
        .map(|photo| async move {
            let downloaded = timeout(LIMIT, download(photo)).await;
            if let Ok(photo) = downloaded {
                store(photo).await;
            }
            (photo, downloaded)
        })
        .buffered(4);

    let mut imported = Vec::new();
    while let Some(outcome) = imports.next().await {
        imported.push(outcome);
    }
    imported
}
// ANCHOR_END: import_all

type Outcome = Result<u32, Elapsed>;

/// Looks it up, and reads it if it is new: 100 ms, well in time.
async fn download(photo: u32) -> u32 {
    sleep(Duration::from_millis(50)).await;
    let is_new = photo != 1;
    if is_new {
        sleep(Duration::from_millis(50)).await;
    }
    photo
}

/// Writes to a slow archive.
async fn store(_photo: u32) {
    sleep(Duration::from_millis(500)).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    for (photo, outcome) in import_all((1..=4).collect()).await {
        match outcome {
            Ok(_) => println!("photo {photo}: stored"),
            Err(error) => println!("photo {photo}: {error}"),
        }
    }
    println!("{} ms", start.elapsed().as_millis());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_are_stored_and_four_at_a_time() {
        let start = Instant::now();
        let imported = import_all(vec![1, 2, 3, 4]).await;
        assert!(imported.iter().all(|(_, it)| it.is_ok()));
        assert_eq!(start.elapsed(), Duration::from_millis(600));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_order_is_kept_on_many_threads() {
        let imported = import_all(vec![4, 3, 2, 1]).await;
        let order: Vec<_> =
            imported.iter().map(|(it, _)| *it).collect();
        assert_eq!(order, [4, 3, 2, 1]);
    }
}
