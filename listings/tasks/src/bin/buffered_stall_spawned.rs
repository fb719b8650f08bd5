//! Spawn each download: the task runs while the loop stores.

use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

const LIMIT: Duration = Duration::from_millis(150);
const STORING: Duration = Duration::from_secs(10);

// ANCHOR: import_all
/// Downloads four photos at a time, and stores one at a time, in
/// order. A download that panics is a failure of its photo only.
///
/// The runtime polls the tasks while the loop waits for the archive.
/// Dropping this future aborts them.
async fn import_all(photos: Vec<u32>) -> Vec<(u32, Outcome)> {
    let mut downloads = stream::iter(photos)
        .map(|photo| {
            let work = timeout(LIMIT, download(photo));
            let task = AbortOnDropHandle::new(tokio::spawn(work));
            async move { (photo, task.await) }
        })
        .buffered(4);

    let mut imported = Vec::new();
    while let Some((number, joined)) = downloads.next().await {
        let outcome = match joined {
            Ok(Ok(photo)) => timeout(STORING, store(photo))
                .await
                .map_err(|_late| "not stored in time".to_owned()),
            Ok(Err(_late)) => Err("not here in time".to_owned()),
            Err(panicked) => Err(panicked.to_string()),
        };
        imported.push((number, outcome));
    }
    imported
}
// ANCHOR_END: import_all

type Outcome = Result<(), String>;

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
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn slow_archives_cost_no_download_its_deadline() {
        let start = Instant::now();
        let imported = import_all(vec![1, 2, 3, 4]).await;
        assert!(imported.iter().all(|(_, it)| it.is_ok()));
        // The first is there after 50 ms; the archive is the limit.
        assert_eq!(start.elapsed(), Duration::from_millis(2050));
        let imported = import_all((1..=9).collect()).await;
        assert!(imported.iter().all(|(_, it)| it.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_download_costs_its_photo() {
        for panics in some_panic(9) {
            let mut photos = vec![2; 9];
            for &place in &panics {
                photos[place] = 13;
            }
            let imported = within(HOUR, import_all(photos)).await;
            for (place, (photo, outcome)) in
                imported.into_iter().enumerate()
            {
                assert_eq!(outcome.is_err(), panics.contains(&place));
                if let Err(why) = outcome {
                    assert_eq!(photo, 13);
                    assert!(why.contains("13 is damaged"), "{why}");
                }
            }
        }
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
        let imported = within(HOUR, import_all(vec![99, 99, 1])).await;
        let stored = imported.iter().map(|(_, it)| it.is_ok());
        assert!(stored.eq([false, false, true]));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_download() {
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
        let imported = import_all(vec![4, 3, 2, 1]).await;
        let order = imported.iter().map(|(it, _)| *it);
        assert!(order.eq([4, 3, 2, 1]));
    }
}
