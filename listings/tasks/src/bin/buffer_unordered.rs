//! Render a hundred thumbnails, never more than eight at a time.

// ANCHOR: render_all
use std::{ops::Range, time::Duration};

use futures::{StreamExt, stream};
use tokio::time::{error::Elapsed, timeout};

/// How many requests each call may have open at the same time, and
/// how long a request may take.
const LIMIT: usize = 8;
const PATIENCE: Duration = Duration::from_secs(10);

/// Renders all photos, and returns each photo with its outcome, in the
/// order in which the outcomes arrive.
///
/// There are no tasks. Dropping this future drops the open requests,
/// at most eight, and the results so far. If `render` panics, this
/// function panics, too.
async fn render_all(
    renderer: &Renderer,
    photos: Range<u32>,
) -> Vec<(u32, Result<Result<u32, Busy>, Elapsed>)> {
    stream::iter(photos)
        .map(|photo| async move {
            let request = renderer.render(photo);
            (photo, timeout(PATIENCE, request).await)
        })
        .buffer_unordered(LIMIT)
        .collect()
        .await
}
// ANCHOR_END: render_all

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{Instant, sleep};

/// A service that renders eight thumbnails at a time.
struct Renderer {
    takes: Duration,
    /// The photos at which it never answers, and those at which it
    /// panics.
    silent: Range<u32>,
    damaged: Range<u32>,
    open: AtomicUsize,
    peak: AtomicUsize,
}

/// A request that is open, until it is dropped.
struct Request<'a>(&'a AtomicUsize);

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, Copy)]
struct Busy;

impl Renderer {
    const CAPACITY: usize = 8;

    fn new(takes: Duration) -> Self {
        Self {
            takes,
            silent: 0..0,
            damaged: 0..0,
            open: 0.into(),
            peak: 0.into(),
        }
    }

    /// Refuses the request if eight are open already.
    async fn render(&self, photo: u32) -> Result<u32, Busy> {
        let open = 1 + self.open.fetch_add(1, Ordering::Relaxed);
        self.peak.fetch_max(open, Ordering::Relaxed);
        let _request = Request(&self.open);
        if self.silent.contains(&photo) {
            std::future::pending::<()>().await;
        }
        sleep(self.takes).await;
        assert!(!self.damaged.contains(&photo), "photo {photo}");
        if open > Self::CAPACITY { Err(Busy) } else { Ok(photo) }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let renderer = Renderer::new(Duration::from_millis(100));
    let start = Instant::now();
    let thumbnails = render_all(&renderer, 0..100).await;

    let took = start.elapsed().as_millis();
    println!("{took:>4} ms  all photos are done");
    let peak = renderer.peak.load(Ordering::Relaxed);
    println!("requests open at a time: {peak}");
    let rendered =
        thumbnails.iter().filter(|(_, it)| matches!(it, Ok(Ok(_))));
    println!("rendered: {}", rendered.count());
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    // ANCHOR: tests
    const TAKES: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn overload_a_hundred_photos_take_thirteen_rounds() {
        let renderer = Renderer::new(TAKES);
        let start = Instant::now();
        let thumbnails = render_all(&renderer, 0..100).await;
        assert_eq!(start.elapsed(), 13 * TAKES);
        assert_eq!(renderer.peak.load(Ordering::Relaxed), 8);
        assert!(
            thumbnails.iter().all(|(_, it)| matches!(it, Ok(Ok(_))))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_every_place_holds_nobody_for_long() {
        let mut renderer = Renderer::new(TAKES);
        renderer.silent = 0..9; // One more than there are places.
        let work = render_all(&renderer, 0..100);
        let thumbnails = within(HOUR, work).await;
        assert_eq!(thumbnails.len(), 100);
        for (photo, outcome) in thumbnails {
            assert_eq!(outcome.is_err(), photo < 9);
        }
    }
    // ANCHOR_END: tests

    #[tokio::test(start_paused = true)]
    async fn cancel_closes_every_request() {
        at_every_poll(async |cancel| {
            let renderer = Renderer::new(Duration::from_millis(1));
            cancel.run(render_all(&renderer, 0..20)).await;
            assert_eq!(renderer.open.load(Ordering::Relaxed), 0);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_one_ends_the_batch_and_closes_the_others() {
        let mut renderer = Renderer::new(Duration::from_millis(1));
        renderer.damaged = 5..6;
        let work = render_all(&renderer, 0..20);
        let work = std::panic::AssertUnwindSafe(work).catch_unwind();
        let panic = within(HOUR, work).await.expect_err("it panics");
        let message = panic.downcast_ref::<String>();
        assert_eq!(message.map(String::as_str), Some("photo 5"));
        assert_eq!(renderer.open.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_returned_with_its_photo() {
        let renderer = Renderer::new(Duration::from_millis(1));
        // Others have eight requests open.
        renderer.open.store(8, Ordering::Relaxed);
        let mut outcomes = render_all(&renderer, 0..3).await;
        outcomes.sort_by_key(|(photo, _)| *photo);
        let photos: Vec<_> = outcomes.iter().map(|it| it.0).collect();
        assert_eq!(photos, [0, 1, 2]);
        assert!(
            outcomes.iter().all(|it| matches!(it.1, Ok(Err(Busy))))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_photo_and_one() {
        let renderer = Renderer::new(Duration::from_millis(1));
        let none = within(HOUR, render_all(&renderer, 7..7)).await;
        assert!(none.is_empty());
        assert_eq!(render_all(&renderer, 7..8).await.len(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_the_limit_holds() {
        // As a task, so that it may run on any of the threads.
        let peak = tokio::spawn(async {
            let renderer = Renderer::new(Duration::from_millis(1));
            let thumbnails = render_all(&renderer, 0..100).await;
            assert_eq!(thumbnails.len(), 100);
            renderer.peak.into_inner()
        });
        assert_eq!(peak.await.expect("no panic"), 8);
    }
}
