//! A channel between downloads and archive helps while it has room.

use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::{
    join,
    sync::mpsc,
    time::{error::Elapsed, sleep, timeout},
};

const LIMIT: Duration = Duration::from_millis(150);

// ANCHOR: import_all
/// Downloads four at a time, stores one at a time, and keeps so many
/// in between. `join!` polls both sides, whichever of them waits.
async fn import_all(
    photos: Vec<u32>,
    room: usize,
) -> Vec<(u32, Outcome)> {
    let (sender, mut downloaded) = mpsc::channel(room);
    let download_all = async move {
        let mut downloads = stream::iter(photos)
            .map(|photo| async move {
                (photo, timeout(LIMIT, download(photo)).await)
            })
            .buffered(4);
        while let Some(photo) = downloads.next().await {
            // While this waits, nobody polls the downloads.
            if sender.send(photo).await.is_err() {
                break;
            }
        }
    };
    let store_all = async {
        let mut imported = Vec::new();
        while let Some((photo, outcome)) = downloaded.recv().await {
            if let Ok(photo) = outcome {
                store(photo).await;
            }
            imported.push((photo, outcome));
        }
        imported
    };
    join!(download_all, store_all).1
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
    for room in [8, 1] {
        let imported = import_all((1..=8).collect(), room).await;
        let stored = imported.iter().filter(|(_, it)| it.is_ok());
        println!("room for {room}: {} of 8 stored", stored.count());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn with_room_all_are_in_time() {
        let imported = import_all((1..=8).collect(), 8).await;
        assert!(imported.iter().all(|(_, it)| it.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn without_room_downloads_stand_still() {
        let imported = import_all((1..=8).collect(), 1).await;
        assert!(imported.iter().any(|(_, it)| it.is_err()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_order_is_kept_on_many_threads() {
        let imported = import_all(vec![2, 1], 8).await;
        let order: Vec<_> =
            imported.iter().map(|(it, _)| *it).collect();
        assert_eq!(order, [2, 1]);
    }
}
