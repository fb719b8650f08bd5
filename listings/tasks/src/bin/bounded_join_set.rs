//! Limit the tasks by the size of their set, without a semaphore.

// ANCHOR: render_all
use std::{ops::Range, sync::Arc};

use tokio::task::{JoinError, JoinSet};

/// Renders each photo in a task of its own, at most eight at a time.
///
/// Dropping this future aborts the tasks that run; the other photos
/// have no task yet. A panic costs its own photo only.
async fn render_all(
    renderer: Arc<Renderer>,
    photos: Range<u32>,
) -> Summary {
    let mut summary = Summary::default();
    let mut tasks = JoinSet::new();
    for photo in photos {
        // Full: the next begins when one of these has ended.
        if tasks.len() >= 8
            && let Some(joined) = tasks.join_next().await
        {
            summary.add(joined);
        }
        let renderer = Arc::clone(&renderer);
        tasks.spawn(async move { renderer.render(photo).await });
    }
    while let Some(joined) = tasks.join_next().await {
        summary.add(joined);
    }
    summary
}
// ANCHOR_END: render_all

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep};

#[derive(Default)]
struct Summary {
    rendered: usize,
    refused: usize,
    panicked: usize,
}

impl Summary {
    fn add(&mut self, joined: Result<Result<u32, Busy>, JoinError>) {
        match joined {
            Ok(Ok(_)) => self.rendered += 1,
            Ok(Err(Busy)) => self.refused += 1,
            Err(_) => self.panicked += 1,
        }
    }
}

/// A service that renders eight thumbnails at a time.
struct Renderer {
    takes: Duration,
    damaged: Option<u32>,
    open: AtomicUsize,
    peak: AtomicUsize,
}

struct Busy;

impl Renderer {
    const CAPACITY: usize = 8;

    fn new(takes: Duration) -> Self {
        Self { takes, damaged: None, open: 0.into(), peak: 0.into() }
    }

    /// Refuses the request if eight are open already. Panics at the
    /// photo that is said to be damaged.
    async fn render(&self, photo: u32) -> Result<u32, Busy> {
        let open = 1 + self.open.fetch_add(1, Ordering::Relaxed);
        self.peak.fetch_max(open, Ordering::Relaxed);
        sleep(self.takes).await;
        self.open.fetch_sub(1, Ordering::Relaxed);
        assert_ne!(Some(photo), self.damaged, "cannot be decoded");
        if open > Self::CAPACITY { Err(Busy) } else { Ok(photo) }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let renderer = Arc::new(Renderer::new(Duration::from_millis(100)));
    let start = Instant::now();
    let summary = render_all(Arc::clone(&renderer), 0..100).await;

    let took = start.elapsed().as_millis();
    println!("{took:>4} ms  all photos are done");
    let peak = renderer.peak.load(Ordering::Relaxed);
    println!("requests open at once: {peak}");
    println!("rendered: {}", summary.rendered);
    println!("refused:  {}", summary.refused);
    println!("panicked: {}", summary.panicked);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_hundred_photos_take_thirteen_rounds_of_eight() {
        let renderer = Renderer::new(Duration::from_millis(100));
        let renderer = Arc::new(renderer);
        let start = Instant::now();
        let summary = render_all(Arc::clone(&renderer), 0..100).await;
        assert_eq!(start.elapsed(), Duration::from_millis(1300));
        assert_eq!((summary.rendered, summary.refused), (100, 0));
        assert_eq!(renderer.peak.load(Ordering::Relaxed), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn each_refusal_is_counted() {
        let renderer = Renderer::new(Duration::from_millis(100));
        // Others have eight requests open.
        renderer.open.store(8, Ordering::Relaxed);
        let summary = render_all(Arc::new(renderer), 0..3).await;
        assert_eq!((summary.rendered, summary.refused), (0, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_costs_its_own_photo_and_no_permit() {
        let mut renderer = Renderer::new(Duration::from_millis(100));
        renderer.damaged = Some(3);
        let summary = render_all(Arc::new(renderer), 0..100).await;
        assert_eq!((summary.rendered, summary.panicked), (99, 1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_limit_holds_on_many_threads() {
        let renderer = Renderer::new(Duration::from_millis(1));
        let renderer = Arc::new(renderer);
        let work = render_all(Arc::clone(&renderer), 0..200);
        let summary = tokio::spawn(work).await.expect("no panic");
        assert_eq!((summary.rendered, summary.refused), (200, 0));
        assert!(renderer.peak.load(Ordering::Relaxed) <= 8);
    }
}
