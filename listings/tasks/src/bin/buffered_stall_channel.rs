//! A channel between downloads and archive helps while it has room.

use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::{
    join,
    sync::mpsc,
    time::{sleep, timeout},
};

const LIMIT: Duration = Duration::from_millis(150);
const STORING: Duration = Duration::from_secs(10);

// ANCHOR: import_all
/// Downloads four photos at a time, stores one at a time, and buffers
/// up to `room` photos. `join!` polls both sides.
///
/// Dropping this future loses the buffered photos. A panic on either
/// side propagates.
async fn import_all(
    photos: Vec<u32>,
    room: usize,
) -> Vec<(u32, Outcome)> {
    // The list may be empty, and a channel without room would panic.
    let (sender, mut downloaded) = mpsc::channel(room.max(1));
    let download_all = async move {
        let mut downloads = stream::iter(photos)
            .map(|photo| async move {
                (photo, timeout(LIMIT, download(photo)).await)
            })
            .buffered(4);
        while let Some(photo) = downloads.next().await {
            // While this waits, nothing polls the downloads.
            if sender.send(photo).await.is_err() {
                break;
            }
        }
    };
    let store_all = async {
        let mut imported = Vec::new();
        while let Some((photo, outcome)) = downloaded.recv().await {
            let outcome = match outcome {
                Ok(it) => timeout(STORING, store(it))
                    .await
                    .map_err(|_late| "not stored in time"),
                Err(_late) => Err("not here in time"),
            };
            imported.push((photo, outcome));
        }
        imported
    };
    join!(download_all, store_all).1
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
    for room in [8, 1] {
        let imported = import_all((1..=8).collect(), room).await;
        let stored = imported.iter().filter(|(_, it)| it.is_ok());
        println!("room for {room}: {} of 8 stored", stored.count());
    }
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
        let imported = import_all((1..=8).collect(), 8).await;
        assert!(imported.iter().all(|(_, it)| it.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_archives_do_where_there_is_no_room() {
        let imported = import_all((1..=8).collect(), 1).await;
        assert!(imported.iter().any(|(_, it)| it.is_err()));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_photo_and_so_no_room() {
        let none = within(HOUR, import_all(Vec::new(), 0)).await;
        assert!(none.is_empty());
        assert_eq!(import_all(vec![1], 0).await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_some_downloads_costs_only_those() {
        let photos = vec![98, 98, 98, 98, 98, 1];
        let imported = within(HOUR, import_all(photos, 6)).await;
        for (photo, outcome) in imported {
            let late =
                outcome.is_err_and(|it| it == "not here in time");
            assert_eq!(late, photo == 98);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_archive_ends_by_the_timeout() {
        let work = import_all(vec![99, 99, 1], 3);
        let imported = within(HOUR, work).await;
        let stored = imported.iter().map(|(_, it)| it.is_ok());
        assert!(stored.eq([false, false, true]));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_passes_to_the_caller() {
        for photos in [vec![13, 1, 2], vec![1, 2, 13]] {
            let work = AssertUnwindSafe(import_all(photos, 3));
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
            cancel.run(import_all(vec![1, 2, 3], 1)).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_keep_the_order() {
        let imported = import_all(vec![2, 1], 8).await;
        let order = imported.iter().map(|(it, _)| *it);
        assert!(order.eq([2, 1]));
    }
}
