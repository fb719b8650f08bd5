//! A guard releases the slot, no matter how the caller exits.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::time::{sleep, timeout};

// ANCHOR: place
/// A slot in the studio. Dropping it makes the slot free again.
struct Slot<'a>(&'a Studio);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.free.fetch_add(1, Ordering::AcqRel);
    }
}

impl Studio {
    fn take(&self) -> Result<Slot<'_>, Busy> {
        let one_less = |free: usize| free.checked_sub(1);
        self.free
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less)
            .map(|_| Slot(self))
            .map_err(|_| Busy)
    }

    /// Renders a photo, or rejects it if no slot is free.
    ///
    /// If this is canceled, or `render` panics, the slot is released
    /// and only the picture is lost.
    async fn render(&self, photo: u32) -> Result<u32, Busy> {
        let _slot = self.take()?;
        Ok(render(photo).await)
    }
}
// ANCHOR_END: place

/// Renders a limited number of photos at a time, and rejects more.
struct Studio {
    free: AtomicUsize,
}

/// All slots are taken.
#[derive(Debug, PartialEq)]
struct Busy;

impl Studio {
    fn new(slots: usize) -> Self {
        Self { free: AtomicUsize::new(slots) }
    }
}

/// Renders a photo, which takes a second. A broken one panics.
async fn render(photo: u32) -> u32 {
    sleep(Duration::from_secs(1)).await;
    assert!(photo != 13, "photo 13 is broken");
    photo
}

/// Two callers: the first gives up after 100 ms.
async fn two_callers(studio: &Studio) -> String {
    let limit = Duration::from_millis(100);
    if timeout(limit, studio.render(1)).await.is_err() {
        println!("the first caller gave up");
    }
    match studio.render(2).await {
        Ok(photo) => format!("photo {photo} is rendered"),
        Err(Busy) => "photo 2 is rejected: the studio is busy".into(),
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("{}", two_callers(&Studio::new(1)).await);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::{FutureExt, future::join_all};

    use super::*;

    impl Studio {
        fn free(&self) -> usize {
            self.free.load(Ordering::Acquire)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_every_place_free() {
        let rendered = two_callers(&Studio::new(1)).await;
        assert_eq!(rendered, "photo 2 is rendered");
        hazards::at_every_poll(async |cancel| {
            let studio = Studio::new(2);
            cancel.run(studio.render(1)).await;
            assert_eq!(studio.free(), 2);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_gives_the_place_back() {
        let studio = Studio::new(1);
        let broken = std::panic::AssertUnwindSafe(studio.render(13));
        assert!(broken.catch_unwind().await.is_err());
        assert_eq!(studio.free(), 1);
        assert_eq!(studio.render(1).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_refused_and_not_queued() {
        let studio = Studio::new(2);
        let calls = (0..5).map(|photo| studio.render(photo));
        let rendered = join_all(calls).await;
        let busy = rendered.iter().filter(|it| it.is_err()).count();
        assert_eq!((busy, studio.free()), (3, 2));
    }

    #[tokio::test]
    async fn edges_no_place_refuses_everyone() {
        assert_eq!(Studio::new(0).render(1).await, Err(Busy));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_never_share_a_place() {
        let studio = Arc::new(Studio::new(2));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let studio = Arc::clone(&studio);
                tokio::spawn(async move {
                    for _ in 0..1000 {
                        if let Ok(_place) = studio.take() {
                            assert!(studio.free() < 2);
                            tokio::task::yield_now().await;
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a place was given twice");
        }
        assert_eq!(studio.free(), 2);
    }
}
