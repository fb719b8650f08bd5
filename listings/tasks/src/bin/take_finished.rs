//! Take the uploads that are done, without waiting for the others.

// ANCHOR: upload_all
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
    time::Instant,
};

/// Uploads each photo that comes in, and notes after each one what
/// has finished meanwhile. Ends when the senders are gone and the
/// last upload is done.
///
/// Dropping this future aborts the uploads.
async fn upload_all(mut photos: mpsc::Receiver<u32>) -> Uploaded {
    let start = Instant::now();
    let mut uploaded = Uploaded::default();
    let mut uploads = JoinSet::new();
    while let Some(photo) = photos.recv().await {
        uploads.spawn(upload(photo));
        // `None`: no task has finished, or there is none at all.
        while let Some(joined) = uploads.try_join_next() {
            uploaded.note(joined, start.elapsed());
        }
        uploaded.largest_set = uploaded.largest_set.max(uploads.len());
    }
    // No more photos come: now wait.
    while let Some(joined) = uploads.join_next().await {
        uploaded.note(joined, start.elapsed());
    }
    uploaded
}
// ANCHOR_END: upload_all

use std::time::Duration;

use tokio::time::sleep;

/// The photos in the order in which they were noted as done.
#[derive(Default)]
struct Uploaded {
    photos: Vec<(u32, Duration)>,
    largest_set: usize,
    panicked: usize,
}

impl Uploaded {
    fn note(&mut self, joined: Result<u32, JoinError>, at: Duration) {
        match joined {
            Ok(photo) => self.photos.push((photo, at)),
            Err(_) => self.panicked += 1,
        }
    }
}

async fn upload(photo: u32) -> u32 {
    sleep(Duration::from_millis(150)).await;
    photo
}

/// A camera that takes a photo every 100 ms.
async fn take_photos(count: u32, camera: mpsc::Sender<u32>) {
    for photo in 1..=count {
        if camera.send(photo).await.is_err() {
            return; // Nobody wants any more.
        }
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (camera, photos) = mpsc::channel(8);
    let (uploaded, ()) =
        tokio::join!(upload_all(photos), take_photos(6, camera));
    for (photo, at) in uploaded.photos {
        let at = at.as_millis();
        println!("{at:>4} ms  photo {photo} noted as uploaded");
    }
    println!(
        "tasks in the set: never more than {}",
        uploaded.largest_set
    );
    println!("panicked: {}", uploaded.panicked);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_done_is_noted_at_the_next_photo() {
        let (camera, photos) = mpsc::channel(8);
        let (uploaded, ()) =
            tokio::join!(upload_all(photos), take_photos(3, camera));
        let noted: Vec<_> = uploaded
            .photos
            .into_iter()
            .map(|(photo, at)| (photo, at.as_millis()))
            .collect();
        // The first was done at 150 ms, when there was nobody to note.
        assert_eq!(noted, [(1, 200), (2, 300), (3, 350)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_set_stays_small() {
        let (camera, photos) = mpsc::channel(8);
        let (uploaded, ()) =
            tokio::join!(upload_all(photos), take_photos(1000, camera));
        assert_eq!(uploaded.photos.len(), 1000);
        assert_eq!(uploaded.largest_set, 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_photo_is_noted_on_many_threads() {
        let (camera, photos) = mpsc::channel(8);
        let send_all = async {
            for photo in 1..=100 {
                camera.send(photo).await.expect("still receiving");
            }
            drop(camera);
        };
        let (uploaded, ()) = tokio::join!(upload_all(photos), send_all);
        let mut photos: Vec<_> = uploaded
            .photos
            .into_iter()
            .map(|(photo, _)| photo)
            .collect();
        photos.sort();
        assert!(photos.into_iter().eq(1..=100));
    }
}
