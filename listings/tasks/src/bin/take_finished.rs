//! Collect the finished uploads without waiting for the others.

// ANCHOR: upload_all
use std::time::Duration;

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Uploads each photo that arrives, at most `MOST` at a time, and
/// records after each photo which uploads have finished. Returns when
/// the senders are dropped and the last upload has ended.
///
/// Dropping this future aborts the uploads and loses the records.
async fn upload_all(mut photos: mpsc::Receiver<u32>) -> Uploaded {
    let start = Instant::now();
    let mut uploaded = Uploaded::default();
    let mut uploads = JoinSet::new();
    while let Some(photo) = photos.recv().await {
        // At the limit, wait for an upload. Photos stay in the queue.
        if uploads.len() >= MOST
            && let Some(joined) = uploads.join_next_with_id().await
        {
            uploaded.note(joined, start.elapsed());
        }
        let task = uploads.spawn(timeout(PATIENCE, upload(photo)));
        uploaded.started(task.id(), photo);
        // `None`: no task has finished, or the set is empty.
        while let Some(joined) = uploads.try_join_next_with_id() {
            uploaded.note(joined, start.elapsed());
        }
        uploaded.largest_set = uploaded.largest_set.max(uploads.len());
    }
    // No more photos will arrive, so now wait.
    while let Some(joined) = uploads.join_next_with_id().await {
        uploaded.note(joined, start.elapsed());
    }
    uploaded
}
// ANCHOR_END: upload_all

use std::collections::HashMap;

use tokio::{
    task::{Id, JoinError},
    time::{error::Elapsed, sleep},
};

const MOST: usize = 8;

/// The photos in the order in which they were recorded. A service
/// would log them instead: the lists grow with every photo.
#[derive(Default)]
struct Uploaded {
    running: HashMap<Id, u32>,
    photos: Vec<(u32, Duration)>,
    failed: Vec<(u32, String)>,
    largest_set: usize,
}

impl Uploaded {
    fn started(&mut self, id: Id, photo: u32) {
        self.running.insert(id, photo);
    }

    fn note(
        &mut self,
        joined: Result<(Id, Result<(), Elapsed>), JoinError>,
        at: Duration,
    ) {
        let (id, failure) = match joined {
            Ok((id, Ok(()))) => (id, None),
            Ok((id, Err(late))) => (id, Some(late.to_string())),
            Err(error) => (error.id(), Some(error.to_string())),
        };
        let photo = self.running.remove(&id).expect("it was started");
        match failure {
            None => self.photos.push((photo, at)),
            Some(why) => self.failed.push((photo, why)),
        }
    }
}

async fn upload(photo: u32) {
    let millis = if photo == 99 { u64::MAX >> 20 } else { 150 };
    sleep(Duration::from_millis(millis)).await;
    assert_ne!(photo, 13, "photo {photo} is damaged");
}

/// A camera that takes a photo every 100 ms.
async fn take_photos(count: u32, camera: mpsc::Sender<u32>) {
    for photo in 1..=count {
        if camera.send(photo).await.is_err() {
            return; // The receiver is dropped.
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
    println!("tasks in the set: at most {}", uploaded.largest_set);
    println!("failed: {}", uploaded.failed.len());
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    fn queue(photos: Vec<u32>) -> mpsc::Receiver<u32> {
        let (sender, queue) = mpsc::channel(photos.len().max(1));
        for photo in photos {
            sender.try_send(photo).expect("there is room");
        }
        queue
    }

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
        // The first was done at 150 ms, while the loop waited.
        assert_eq!(noted, [(1, 200), (2, 300), (3, 350)]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_streams_of_photos_keep_the_set_small() {
        let (camera, photos) = mpsc::channel(8);
        let (uploaded, ()) =
            tokio::join!(upload_all(photos), take_photos(1000, camera));
        // All but the damaged one and the silent one.
        assert_eq!(uploaded.photos.len(), 998);
        assert!(uploaded.running.is_empty());
        assert!(uploaded.largest_set <= 3);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_reported_with_its_photo() {
        for photos in [vec![13, 1, 2], vec![1, 13, 2], vec![13; 3]] {
            let panics = photos.iter().filter(|&&it| it == 13).count();
            let uploaded = upload_all(queue(photos)).await;
            assert_eq!(uploaded.photos.len(), 3 - panics);
            assert_eq!(uploaded.failed.len(), panics);
            let (photo, why) = &uploaded.failed[0];
            assert_eq!(*photo, 13);
            assert!(why.contains("photo 13 is damaged"), "{why}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_an_upload_ends_by_the_timeout() {
        let work = upload_all(queue(vec![99, 1, 99]));
        let uploaded = within(HOUR, work).await;
        assert_eq!(uploaded.photos.len(), 1);
        let failed = uploaded.failed.iter().map(|(photo, _)| *photo);
        assert!(failed.eq([99, 99]));
    }

    /// A camera that is much faster than the uploads.
    #[tokio::test(start_paused = true)]
    async fn overload_of_photos_waits_in_the_queue() {
        for photo in [1, 99] {
            let (camera, photos) = mpsc::channel(1);
            let send_all = async move {
                for _ in 0..1000 {
                    camera.send(photo).await.expect("it is taken");
                }
            };
            let (uploaded, ()) =
                tokio::join!(upload_all(photos), send_all);
            let ended = uploaded.photos.len() + uploaded.failed.len();
            assert_eq!((ended, uploaded.largest_set), (1000, MOST));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            cancel.run(upload_all(queue(vec![1, 2, 3]))).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_photo_and_one_twice() {
        assert!(upload_all(queue(vec![])).await.photos.is_empty());
        let twice = upload_all(queue(vec![7, 7])).await.photos;
        assert_eq!(twice.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_by_closing_the_queue_uploads_what_was_accepted() {
        let (sender, photos) = mpsc::channel(8);
        let uploading = tokio::spawn(upload_all(photos));
        for photo in 200..220 {
            sender.send(photo).await.expect("it is taken");
        }
        drop(sender);
        let uploaded = within(HOUR, uploading).await;
        assert_eq!(uploaded.expect("no panic").photos.len(), 20);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_every_photo_is_noted() {
        let photos = (200..300).collect();
        let uploaded = upload_all(queue(photos)).await;
        let mut photos: Vec<_> = uploaded
            .photos
            .into_iter()
            .map(|(photo, _)| photo)
            .collect();
        photos.sort();
        assert!(photos.into_iter().eq(200..300));
    }
}
