//! Each download is a task, which goes on while the loop stores.

use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::{Instant, error::Elapsed, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

const LIMIT: Duration = Duration::from_millis(150);

// ANCHOR: import_all
/// Downloads four at a time, stores one at a time, in order.
///
/// The runtime polls the tasks, whatever the loop waits for. Drop
/// this future, and the handles abort them.
async fn import_all(photos: Vec<u32>) -> Vec<(u32, Outcome)> {
    let mut downloads = stream::iter(photos)
        .map(|photo| {
            let work = timeout(LIMIT, download(photo));
            let task = AbortOnDropHandle::new(tokio::spawn(work));
            async move { (photo, task.await) }
        })
        .buffered(4);

    let mut imported = Vec::new();
    while let Some((photo, joined)) = downloads.next().await {
        let downloaded = joined.expect("a download does not panic");
        if let Ok(photo) = downloaded {
            store(photo).await;
        }
        imported.push((photo, downloaded));
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
    async fn tasks_go_on_while_the_loop_waits() {
        let start = Instant::now();
        let imported = import_all(vec![1, 2, 3, 4]).await;
        assert!(imported.iter().all(|(_, it)| it.is_ok()));
        // The first is there after 50 ms; the archive is the limit.
        assert_eq!(start.elapsed(), Duration::from_millis(2050));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_order_is_kept_on_many_threads() {
        let imported = import_all(vec![4, 3, 2, 1]).await;
        let order: Vec<_> =
            imported.iter().map(|(it, _)| *it).collect();
        assert_eq!(order, [4, 3, 2, 1]);
    }
}
