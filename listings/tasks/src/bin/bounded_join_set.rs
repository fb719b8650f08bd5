//! Use the size of the set as the limit, without a semaphore.

// ANCHOR: render_all
use std::{ops::Range, sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::task::JoinMap;

const PATIENCE: Duration = Duration::from_secs(10);

/// Renders each photo in a separate task, at most eight at a time in
/// this call. A panic or a request without a response affects only its
/// own photo.
///
/// Dropping this future aborts the running tasks, and loses the
/// summary. The remaining photos don't have a task yet.
async fn render_all(
    renderer: Arc<Renderer>,
    photos: Range<u32>,
) -> Summary {
    let mut summary = Summary::default();
    let mut tasks = JoinMap::new();
    for photo in photos {
        // The map is full: wait until one of its tasks ends.
        if tasks.len() >= 8
            && let Some(joined) = tasks.join_next().await
        {
            summary.add(joined);
        }
        let renderer = Arc::clone(&renderer);
        tasks.spawn(photo, async move {
            timeout(PATIENCE, renderer.render(photo)).await
        });
    }
    while let Some(joined) = tasks.join_next().await {
        summary.add(joined);
    }
    summary
}
// ANCHOR_END: render_all

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::{
    task::JoinError,
    time::{Instant, error::Elapsed, sleep},
};

/// What a task of the set returns: from the inside, the service's
/// answer, the timeout's, and the task's own.
type Joined = Result<Result<Result<(), Busy>, Elapsed>, JoinError>;

/// What became of each photo.
#[derive(Default)]
struct Summary {
    rendered: Vec<u32>,
    refused: Vec<u32>,
    too_slow: Vec<u32>,
    panicked: Vec<(u32, JoinError)>,
}

impl Summary {
    fn add(&mut self, (photo, joined): (u32, Joined)) {
        match joined {
            Ok(Ok(Ok(()))) => self.rendered.push(photo),
            Ok(Ok(Err(Busy))) => self.refused.push(photo),
            Ok(Err(_elapsed)) => self.too_slow.push(photo),
            Err(error) => self.panicked.push((photo, error)),
        }
    }
}

/// A service that renders eight thumbnails at a time, and counts.
struct Renderer {
    takes: Duration,
    damaged: Vec<u32>,
    silent: Range<u32>,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

struct Busy;

/// A request that is open, until it is dropped.
struct Request<'a>(&'a AtomicUsize);

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Renderer {
    const CAPACITY: usize = 8;

    fn new(takes: Duration) -> Self {
        Self {
            takes,
            damaged: Vec::new(),
            silent: 0..0,
            open: 0.into(),
            most_open: 0.into(),
        }
    }

    /// Refuses the request if eight are open already, panics at a
    /// damaged photo, and never answers at a silent one.
    async fn render(&self, photo: u32) -> Result<(), Busy> {
        let open = 1 + self.open.fetch_add(1, Ordering::SeqCst);
        self.most_open.fetch_max(open, Ordering::SeqCst);
        let _request = Request(&self.open);
        if self.silent.contains(&photo) {
            std::future::pending::<()>().await;
        }
        sleep(self.takes).await;
        let is_damaged = self.damaged.contains(&photo);
        assert!(!is_damaged, "photo {photo} is damaged");
        if open > Self::CAPACITY { Err(Busy) } else { Ok(()) }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let renderer = Arc::new(Renderer::new(Duration::from_millis(100)));
    let start = Instant::now();
    let summary = render_all(Arc::clone(&renderer), 0..100).await;

    let took = start.elapsed().as_millis();
    println!("{took:>4} ms  all photos are done");
    let most_open = renderer.most_open.load(Ordering::SeqCst);
    println!("requests open at a time: {most_open}");
    println!("rendered: {}", summary.rendered.len());
    println!("refused:  {}", summary.refused.len());
    println!("too slow: {}", summary.too_slow.len());
    println!("panicked: {}", summary.panicked.len());
}

#[cfg(test)]
mod tests {
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    const TAKES: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn overload_a_hundred_photos_take_thirteen_rounds() {
        let renderer = Arc::new(Renderer::new(TAKES));
        let start = Instant::now();
        let summary = render_all(Arc::clone(&renderer), 0..100).await;
        assert_eq!(start.elapsed(), 13 * TAKES);
        assert_eq!(summary.rendered.len(), 100);
        assert_eq!(renderer.most_open.load(Ordering::SeqCst), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_counted_for_each_photo() {
        let renderer = Renderer::new(TAKES);
        // Others have eight requests open.
        renderer.open.store(8, Ordering::SeqCst);
        let summary = render_all(Arc::new(renderer), 0..3).await;
        assert_eq!(summary.refused, [0, 1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_costs_its_own_photo_and_no_place() {
        for panics in some_panic(100) {
            let mut renderer = Renderer::new(TAKES);
            renderer.damaged =
                panics.iter().map(|&it| it as u32).collect();
            let work = render_all(Arc::new(renderer), 0..100);
            let summary = within(HOUR, work).await;
            assert_eq!(summary.rendered.len(), 100 - panics.len());
            assert_eq!(summary.panicked.len(), panics.len());
            for (photo, error) in summary.panicked {
                let message = format!("photo {photo} is damaged");
                assert!(error.to_string().contains(&message));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_every_place_holds_nobody_for_long() {
        let mut renderer = Renderer::new(TAKES);
        renderer.silent = 0..9; // One more than there are places.
        let work = render_all(Arc::new(renderer), 0..100);
        let mut summary = within(HOUR, work).await;
        assert_eq!(summary.rendered.len(), 91);
        summary.too_slow.sort();
        assert!(summary.too_slow.into_iter().eq(0..9));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_ends_every_task_and_request() {
        at_every_poll(async |cancel| {
            let renderer = Arc::new(Renderer::new(TAKES));
            cancel.run(render_all(Arc::clone(&renderer), 0..20)).await;
            within(MOMENT, no_task_left()).await;
            assert_eq!(renderer.open.load(Ordering::SeqCst), 0);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_photo_and_one() {
        for photos in [7..7, 7..8] {
            let count = photos.len();
            let renderer = Arc::new(Renderer::new(TAKES));
            let work = render_all(renderer, photos);
            assert_eq!(within(HOUR, work).await.rendered.len(), count);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_the_limit_holds() {
        let renderer = Renderer::new(Duration::from_millis(1));
        let renderer = Arc::new(renderer);
        let work = render_all(Arc::clone(&renderer), 0..200);
        let summary = tokio::spawn(work).await.expect("no panic");
        assert_eq!(summary.rendered.len(), 200);
        assert!(renderer.most_open.load(Ordering::SeqCst) <= 8);
    }
}
