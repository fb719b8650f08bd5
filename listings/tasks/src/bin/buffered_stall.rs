//! Wrong: while the loop stores a photo, nothing polls the downloads.

use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::{Instant, error::Elapsed, sleep, timeout};

const LIMIT: Duration = Duration::from_millis(150);

// ANCHOR: wrong
/// Wrong: `buffered` polls its downloads only while `next` is being
/// awaited. While the body of the loop waits for the archive, nothing
/// polls the downloads, and they time out.
async fn import_all(photos: Vec<u32>) -> Vec<(u32, Outcome)> {
    let mut downloads = stream::iter(photos)
        .map(|photo| async move {
            (photo, timeout(LIMIT, download(photo)).await)
        })
        .buffered(4);

    let mut imported = Vec::new();
    while let Some((photo, downloaded)) = downloads.next().await {
        if let Ok(photo) = downloaded {
            store(photo).await;
        }
        imported.push((photo, downloaded));
    }
    imported
}
// ANCHOR_END: wrong

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
    async fn slow_archives_cost_no_download_its_deadline() {
        // The mistake: they do.
        let imported = import_all(vec![1, 2, 3, 4]).await;
        let in_time: Vec<_> =
            imported.iter().map(|(_, it)| it.is_ok()).collect();
        assert_eq!(in_time, [true, false, false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_download_alone_is_in_time() {
        for photo in 1..=4 {
            assert!(timeout(LIMIT, download(photo)).await.is_ok());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn more_threads_do_not_help() {
        let imported = import_all(vec![1, 2, 3, 4]).await;
        assert!(imported[1..].iter().all(|(_, it)| it.is_err()));
    }
}
