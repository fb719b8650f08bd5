//! Wrong: a slot is taken, but not released if the caller is canceled.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::time::{sleep, timeout};

// ANCHOR: wrong
/// Renders a limited number of photos at a time, and rejects more.
struct Studio {
    free: AtomicUsize,
}

impl Studio {
    /// Wrong: if this is dropped at the `.await`, it never reaches
    /// the next line, and the slot stays taken forever.
    async fn render(&self, photo: u32) -> Result<u32, Busy> {
        self.take()?;
        let picture = render(photo).await;
        self.release();
        Ok(picture)
    }
}
// ANCHOR_END: wrong

/// All slots are taken.
#[derive(Debug, PartialEq)]
struct Busy;

impl Studio {
    fn new(slots: usize) -> Self {
        Self { free: AtomicUsize::new(slots) }
    }

    fn free(&self) -> usize {
        self.free.load(Ordering::Acquire)
    }

    fn take(&self) -> Result<(), Busy> {
        let one_less = |free: usize| free.checked_sub(1);
        self.free
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less)
            .map(drop)
            .map_err(|_| Busy)
    }

    fn release(&self) {
        self.free.fetch_add(1, Ordering::AcqRel);
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_every_place_free() {
        let studio = Studio::new(1);
        let rendered = two_callers(&studio).await;
        assert!(rendered.contains("rejected"), "{rendered}");
        // The slot stays taken although nobody uses it.
        assert_eq!(studio.free(), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_caller_that_waits_gives_it_back() {
        let studio = Studio::new(1);
        assert_eq!(studio.render(1).await, Ok(1));
        assert_eq!(studio.free(), 1);
    }
}
