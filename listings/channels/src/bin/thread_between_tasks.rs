//! A blocking loop on a thread, between two async tasks.

// ANCHOR: thread
use tokio::{
    sync::mpsc::{self, error::SendError},
    task::{JoinError, spawn_blocking},
};

/// Blocks its thread. The error contains the thumbnail not sent.
fn resize_all(
    mut photos: mpsc::Receiver<u32>,
    thumbnails: mpsc::Sender<u32>,
) -> Result<(), SendError<u32>> {
    while let Some(photo) = photos.blocking_recv() {
        thumbnails.blocking_send(resize(photo))?;
    }
    Ok(())
}

/// Resizes all photos on one thread. If this is dropped, the thread
/// returns after its current photo.
async fn resized(photos: Vec<u32>) -> Result<Vec<u32>, JoinError> {
    let (send, receiver) = mpsc::channel(8);
    let (sender, mut resized) = mpsc::channel(8);
    let thread = spawn_blocking(|| resize_all(receiver, sender));
    let feed = async move {
        for photo in photos {
            if send.send(photo).await.is_err() {
                return; // The thread has panicked: see below.
            }
        }
    };
    let read = async {
        let mut thumbnails = Vec::new();
        while let Some(thumbnail) = resized.recv().await {
            thumbnails.push(thumbnail);
        }
        thumbnails
    };
    let ((), thumbnails) = tokio::join!(feed, read);
    // `Ok` of the handle: `read` has taken every thumbnail.
    thread.await.map(|_| thumbnails)
}
// ANCHOR_END: thread

/// Blocks its thread, as a library for images does.
fn resize(photo: u32) -> u32 {
    photo.checked_mul(10).expect("the photo isn't too large")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    println!("thumbnails: {:?}", resized(vec![1, 2, 3]).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hazards::at_every_poll;
    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn edges_no_photo_one_and_more_than_there_is_room_for() {
        for count in [0, 1, 8, 1000] {
            let thumbnails = resized((0..count).collect()).await;
            let expected = (0..count).map(|photo| 10 * photo);
            assert!(
                thumbnails.expect("no panic").into_iter().eq(expected)
            );
        }
    }

    #[tokio::test]
    async fn panic_at_a_photo_is_an_error() {
        for broken in [0, 50, 99] {
            let mut photos = vec![1; 100];
            photos[broken] = u32::MAX;
            let error = resized(photos).await.expect_err("it panics");
            assert!(error.to_string().contains("isn't too large"));
        }
    }

    #[tokio::test]
    async fn cancel_ends_the_thread() {
        at_every_poll(async |cancel| {
            cancel.run(resized((0..100).collect())).await;
        })
        .await;
        // The end of the runtime waits for the threads.
    }

    #[tokio::test]
    async fn owner_gone_is_an_error_with_the_thumbnail() {
        let (send, photos) = mpsc::channel(8);
        let (thumbnails, resized) = mpsc::channel(8);
        drop(resized);
        let thread = spawn_blocking(|| resize_all(photos, thumbnails));
        send.send(7).await.expect("it's open");
        let ended = timeout(LONG, thread).await.expect("it ends");
        assert_eq!(ended.expect("no panic"), Err(SendError(70)));
        assert!(send.send(8).await.is_err());
    }

    #[tokio::test]
    async fn slow_readers_make_the_thread_wait() {
        let (send, photos) = mpsc::channel(8);
        let (thumbnails, mut resized) = mpsc::channel(8);
        let thread = spawn_blocking(|| resize_all(photos, thumbnails));
        // Eight in each queue, and one in the thread's hands.
        for photo in 0..17 {
            let sent = timeout(LONG, send.send(photo)).await;
            assert!(sent.expect("there is room").is_ok());
        }
        assert!(send.try_send(17).is_err());
        drop(send);
        let mut count = 0;
        while resized.recv().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 17);
        assert_eq!(thread.await.expect("no panic"), Ok(()));
    }

    #[tokio::test]
    async fn stop_resizes_what_was_accepted() {
        let (send, photos) = mpsc::channel(8);
        let (thumbnails, mut resized) = mpsc::channel(8);
        for photo in 0..8 {
            send.send(photo).await.expect("there is room");
        }
        drop(send);
        let thread = spawn_blocking(|| resize_all(photos, thumbnails));
        assert_eq!(thread.await.expect("no panic"), Ok(()));
        for photo in 0..8 {
            assert_eq!(resized.recv().await, Some(10 * photo));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_work_side_by_side() {
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..8 {
            all.spawn(resized((0..1000).collect()));
        }
        for resized in all.join_all().await {
            assert_eq!(resized.expect("no panic").len(), 1000);
        }
    }
}
