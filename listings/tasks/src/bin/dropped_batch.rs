//! Stop a batch with a timeout, and keep the results so far.

// ANCHOR: render_in_time
use std::{ops::Range, time::Duration};

use futures::{StreamExt, stream};
use tokio::time::{error::Elapsed, timeout};

/// Renders the photos, three at a time, and adds each thumbnail to
/// `done`. The caller owns that list, so it outlives this future.
///
/// Dropping this future drops the open requests and starts no more
/// requests. A panic in `render` propagates.
async fn render_all(
    renderer: &Renderer,
    photos: Range<u32>,
    done: &mut Vec<u32>,
) {
    let mut thumbnails = stream::iter(photos)
        .map(|photo| renderer.render(photo))
        .buffer_unordered(3);
    while let Some(thumbnail) = thumbnails.next().await {
        done.push(thumbnail);
    }
}

/// Returns the thumbnails that are ready within 250 ms.
async fn render_in_time(
    renderer: &Renderer,
    photos: Range<u32>,
) -> (Vec<u32>, Result<(), Elapsed>) {
    let mut done = Vec::new();
    let batch = render_all(renderer, photos, &mut done);
    let in_time = timeout(Duration::from_millis(250), batch).await;
    (done, in_time)
}
// ANCHOR_END: render_in_time

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::{Instant, sleep};

/// A service that renders thumbnails, and counts.
struct Renderer {
    takes: Duration,
    started: AtomicU32,
    finished: AtomicU32,
    dropped: AtomicU32,
}

/// A request that is open. It counts as dropped unless it finishes.
struct Request<'a> {
    renderer: &'a Renderer,
    finished: bool,
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        let count = match self.finished {
            true => &self.renderer.finished,
            false => &self.renderer.dropped,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Renderer {
    fn new(takes: Duration) -> Self {
        Self {
            takes,
            started: AtomicU32::new(0),
            finished: AtomicU32::new(0),
            dropped: AtomicU32::new(0),
        }
    }

    async fn render(&self, photo: u32) -> u32 {
        self.started.fetch_add(1, Ordering::Relaxed);
        let mut request = Request { renderer: self, finished: false };
        sleep(self.takes).await;
        assert_ne!(photo, 13, "photo {photo} is damaged");
        request.finished = true;
        photo
    }

    /// Started, finished, and dropped while open.
    fn counts(&self) -> [u32; 3] {
        [&self.started, &self.finished, &self.dropped]
            .map(|count| count.load(Ordering::Relaxed))
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let renderer = Renderer::new(Duration::from_millis(100));
    let start = Instant::now();
    let (done, in_time) = render_in_time(&renderer, 0..10).await;

    let took = start.elapsed().as_millis();
    let end = if in_time.is_ok() { "all done" } else { "time is up" };
    println!("{took:>4} ms  {end}");
    let [started, finished, dropped] = renderer.counts();
    let never_started = 10 - started;
    println!("{finished:>3} finished, {} thumbnails kept", done.len());
    println!("{dropped:>3} dropped while they were open");
    println!("{never_started:>3} never started");
    println!("{:>3} photos", finished + dropped + never_started);
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures::FutureExt;
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    fn renderer() -> Renderer {
        Renderer::new(Duration::from_millis(100))
    }

    #[tokio::test(start_paused = true)]
    async fn slow_batches_keep_what_is_done() {
        let renderer = renderer();
        let (done, in_time) = render_in_time(&renderer, 0..10).await;
        assert!(in_time.is_err());
        assert_eq!(done, [0, 1, 2, 3, 4, 5]);
        assert_eq!(renderer.counts(), [9, 6, 3]);
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(renderer.counts(), [9, 6, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn collect_takes_what_is_done_with_it() {
        let renderer = renderer();
        let batch = stream::iter(0..10)
            .map(|photo| renderer.render(photo))
            .buffer_unordered(3)
            .collect::<Vec<_>>();
        let done = timeout(Duration::from_millis(250), batch).await;
        assert!(done.is_err());
        assert_eq!(renderer.counts(), [9, 6, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_the_deadline() {
        let renderer = Renderer::new(2 * HOUR);
        let work = render_in_time(&renderer, 0..10);
        let (done, in_time) = within(HOUR, work).await;
        assert!(done.is_empty() && in_time.is_err());
        assert_eq!(renderer.counts(), [3, 0, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_keeps_every_thumbnail_that_was_finished() {
        at_every_poll(async |cancel| {
            let renderer = renderer();
            let mut done = Vec::new();
            cancel.run(render_all(&renderer, 0..10, &mut done)).await;
            let [started, finished, dropped] = renderer.counts();
            assert_eq!(started, finished + dropped);
            assert_eq!(done.len() as u32, finished);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_passes_and_what_is_done_is_kept() {
        let renderer = renderer();
        let mut done = Vec::new();
        let batch = render_all(&renderer, 10..20, &mut done);
        let panicked = AssertUnwindSafe(batch).catch_unwind().await;
        assert!(panicked.is_err());
        assert_eq!(done, [10, 11, 12]);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_photo() {
        let renderer = renderer();
        let (done, in_time) = render_in_time(&renderer, 0..0).await;
        assert!(done.is_empty() && in_time.is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_what_is_finished_is_kept() {
        let renderer = renderer();
        let (done, _) = render_in_time(&renderer, 0..10).await;
        let [started, finished, dropped] = renderer.counts();
        assert_eq!(started, finished + dropped);
        assert_eq!(done.len() as u32, finished);
    }
}
