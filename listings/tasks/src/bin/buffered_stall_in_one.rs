//! Store the photo inside the future, so the loop never has to wait.

use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout};

const LIMIT: Duration = Duration::from_millis(150);
const STORING: Duration = Duration::from_secs(10);

// ANCHOR: import_all
/// Downloads and stores photos, four at a time.
///
/// The body of the loop doesn't wait, so the stream is polled whenever
/// one of its futures can make progress. Dropping this future drops
/// the unfinished photos. A panic propagates.
async fn import_all(photos: Vec<u32>) -> Vec<(u32, Outcome)> {
    let mut imports = stream::iter(photos)
        .map(|photo| async move { (photo, import(photo).await) })
        .buffered(4);

    let mut imported = Vec::new();
    while let Some(outcome) = imports.next().await {
        imported.push(outcome);
    }
    imported
}

async fn import(photo: u32) -> Outcome {
    let downloaded = timeout(LIMIT, download(photo)).await;
    let photo = downloaded.map_err(|_late| "not here in time")?;
    let stored = timeout(STORING, store(photo)).await;
    stored.map_err(|_late| "not stored in time")
}
// ANCHOR_END: import_all

type Outcome = Result<(), &'static str>;

/// Looks it up, and reads it if it is new: 100 ms, well in time. The
/// server of photo 98 never answers.
async fn download(photo: u32) -> u32 {
    assert_ne!(photo, 13, "photo {photo} is damaged");
    sleep(Duration::from_millis(50)).await;
    if photo == 98 {
        std::future::pending::<()>().await;
    }
    let is_new = photo != 1;
    if is_new {
        sleep(Duration::from_millis(50)).await;
    }
    photo
}

/// Writes to a slow archive, which never stores photo 99.
async fn store(photo: u32) {
    let millis = if photo == 99 { u64::MAX >> 20 } else { 500 };
    sleep(Duration::from_millis(millis)).await;
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
    use std::panic::AssertUnwindSafe;

    use futures::FutureExt;
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn slow_archives_cost_no_download_its_deadline() {
        let start = Instant::now();
        let imported = import_all(vec![1, 2, 3, 4]).await;
        assert!(imported.iter().all(|(_, it)| it.is_ok()));
        assert_eq!(start.elapsed(), Duration::from_millis(600));
        let imported = import_all((1..=9).collect()).await;
        assert!(imported.iter().all(|(_, it)| it.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_some_downloads_costs_only_those() {
        let photos = vec![98, 98, 98, 98, 98, 1];
        let imported = within(HOUR, import_all(photos)).await;
        for (photo, outcome) in imported {
            let late =
                outcome.is_err_and(|it| it == "not here in time");
            assert_eq!(late, photo == 98);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_archive_ends_by_the_timeout() {
        let photos = vec![99, 99, 99, 99, 99, 1];
        let imported = within(HOUR, import_all(photos)).await;
        let stored = imported.iter().map(|(_, it)| it.is_ok());
        assert!(stored.eq([false, false, false, false, false, true]));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_passes_to_the_caller() {
        for photos in [vec![13, 1, 2], vec![1, 13, 2], vec![1, 2, 13]] {
            let work = AssertUnwindSafe(import_all(photos));
            let work = within(HOUR, work.catch_unwind()).await;
            let panic = work.expect_err("it panics");
            let text = panic.downcast_ref::<String>();
            assert!(
                text.is_some_and(|it| it.contains("13 is damaged"))
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_nothing_running() {
        at_every_poll(async |cancel| {
            cancel.run(import_all(vec![1, 2, 3])).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_photo() {
        assert!(within(HOUR, import_all(Vec::new())).await.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_keep_the_order() {
        let imported = tokio::spawn(import_all(vec![4, 3, 2, 1]));
        let imported = imported.await.expect("no panic");
        let order = imported.iter().map(|(it, _)| *it);
        assert!(order.eq([4, 3, 2, 1]));
    }
}
