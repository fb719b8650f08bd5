//! Render a hundred thumbnails, never more than eight at a time.

// ANCHOR: render_all
use std::ops::Range;

use futures::{StreamExt, stream};

const LIMIT: usize = 8;

/// Renders all photos and returns the thumbnails as they get ready,
/// not in the order of the photos.
///
/// There are no tasks here: dropping this future drops the requests
/// that are open, at most eight, and the others are never made.
async fn render_all(
    renderer: &Renderer,
    photos: Range<u32>,
) -> Vec<Result<u32, Busy>> {
    stream::iter(photos)
        .map(|photo| renderer.render(photo))
        .buffer_unordered(LIMIT)
        .collect()
        .await
}
// ANCHOR_END: render_all

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// A service that renders eight thumbnails at a time.
struct Renderer {
    takes: Duration,
    open: AtomicUsize,
    peak: AtomicUsize,
}

#[derive(Debug)]
struct Busy;

impl Renderer {
    const CAPACITY: usize = 8;

    fn new(takes: Duration) -> Self {
        Self { takes, open: 0.into(), peak: 0.into() }
    }

    /// Refuses the request if eight are open already.
    async fn render(&self, photo: u32) -> Result<u32, Busy> {
        let open = 1 + self.open.fetch_add(1, Ordering::Relaxed);
        self.peak.fetch_max(open, Ordering::Relaxed);
        sleep(self.takes).await;
        self.open.fetch_sub(1, Ordering::Relaxed);
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
    println!("requests open at once: {peak}");
    let refused = thumbnails.iter().filter(|it| it.is_err()).count();
    println!("rendered: {}", thumbnails.len() - refused);
    println!("refused:  {refused}");
}

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_hundred_photos_take_thirteen_rounds_of_eight() {
        let renderer = Renderer::new(Duration::from_millis(100));
        let start = Instant::now();
        let thumbnails = render_all(&renderer, 0..100).await;
        assert_eq!(start.elapsed(), Duration::from_millis(1300));
        assert_eq!(renderer.peak.load(Ordering::Relaxed), 8);
        assert!(thumbnails.iter().all(|it| it.is_ok()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_limit_holds_on_many_threads() {
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
// ANCHOR_END: tests
