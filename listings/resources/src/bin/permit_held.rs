//! The permit is bound to a name, so it lives to the end of its scope.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

// ANCHOR: held
use std::io;

use tokio::time::{Duration, timeout};

/// Uploads one photo, under the limit. If the storage doesn't answer,
/// the permit is released after ten seconds. If the semaphore is closed
/// before there is a permit, this returns an error.
async fn upload(
    storage: &Storage,
    permits: &Semaphore,
    photo: usize,
) -> io::Result<()> {
    let permit = permits.acquire().await;
    let _permit = permit.map_err(io::Error::other)?;
    timeout(Duration::from_secs(10), storage.put(photo)).await?
}
// ANCHOR_END: held

/// Counts how many uploads are open at a time.
#[derive(Default)]
struct Storage {
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl Storage {
    async fn put(&self, photo: usize) -> io::Result<()> {
        let open = 1 + self.open.fetch_add(1, Relaxed);
        self.most_open.fetch_max(open, Relaxed);
        sleep(Duration::from_millis(100)).await;
        self.open.fetch_sub(1, Relaxed);
        match photo {
            SILENT => std::future::pending().await,
            BROKEN => panic!("photo {photo} is broken"),
            REFUSED => Err(io::Error::other("the storage is full")),
            _ => Ok(()),
        }
    }
}

const SILENT: usize = 1001;
const BROKEN: usize = 1002;
const REFUSED: usize = 1003;

/// A hundred uploads under a limit of eight. Returns how many were
/// open at a time.
async fn upload_all() -> io::Result<usize> {
    let storage = Arc::new(Storage::default());
    let permits = Arc::new(Semaphore::new(8));
    let mut tasks = JoinSet::new();
    for photo in 0..100 {
        let (storage, permits) =
            (Arc::clone(&storage), Arc::clone(&permits));
        tasks.spawn(
            async move { upload(&storage, &permits, photo).await },
        );
    }
    while let Some(uploaded) = tasks.join_next().await {
        uploaded.map_err(io::Error::other)??;
    }
    Ok(storage.most_open.load(Relaxed))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    println!("open at a time: {}", upload_all().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, some_panic, within};

    use super::*;

    fn eight() -> (Arc<Storage>, Arc<Semaphore>) {
        (Arc::default(), Arc::new(Semaphore::new(8)))
    }

    /// Uploads at the same time. Returns how many went well.
    async fn upload_these(photos: &[usize]) -> usize {
        let (storage, permits) = eight();
        let mut tasks = JoinSet::new();
        for photo in photos.iter().copied() {
            let storage = Arc::clone(&storage);
            let permits = Arc::clone(&permits);
            tasks.spawn(async move {
                upload(&storage, &permits, photo).await
            });
        }
        let mut good = 0;
        while let Some(uploaded) = tasks.join_next().await {
            good += usize::from(uploaded.is_ok_and(|it| it.is_ok()));
        }
        assert_eq!(permits.available_permits(), 8);
        good
    }

    #[tokio::test(start_paused = true)]
    async fn overload_a_hundred_uploads() -> io::Result<()> {
        assert_eq!(upload_all().await?, 8);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_keep_the_limit() -> io::Result<()> {
        assert!((1..=8).contains(&upload_all().await?));
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_the_permit_back() {
        at_every_poll(async |cancel| {
            let (storage, permits) = eight();
            cancel.run(upload(&storage, &permits, 7)).await;
            assert_eq!(permits.available_permits(), 8);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_gives_the_permit_back() {
        for broken in some_panic(20) {
            let mut photos = Vec::from_iter(0..20);
            for photo in &broken {
                photos[*photo] = BROKEN;
            }
            assert_eq!(upload_these(&photos).await, 20 - broken.len());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_more_than_there_are_places() {
        let mut photos = vec![SILENT; 20];
        photos.push(7);
        assert_eq!(within(HOUR, upload_these(&photos)).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_returned() {
        assert_eq!(upload_these(&[REFUSED, 7, REFUSED]).await, 1);
        let (storage, permits) = eight();
        let refused = upload(&storage, &permits, REFUSED).await;
        let error = refused.expect_err("it is full");
        assert_eq!(error.to_string(), "the storage is full");
    }

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_those_that_wait() {
        let (storage, permits) = eight();
        let all = permits.acquire_many(8).await;
        let waits = upload(&storage, &permits, 7);
        let close = async { permits.close() };
        let (refused, ()) = tokio::join!(biased; waits, close);
        let error = refused.expect_err("it is closed");
        assert_eq!(error.to_string(), "semaphore closed");
        drop(all);
    }
}
