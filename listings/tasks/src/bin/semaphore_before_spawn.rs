//! Take a permit before you spawn: eight at work, eight tasks in all.

// ANCHOR: render_all
use std::{ops::Range, sync::Arc};

use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinSet},
};

/// Renders each photo in a task of its own, at most eight at a time.
///
/// Dropping this future aborts the tasks that run; the other photos
/// have no task yet. A panic costs its own photo only.
async fn render_all(
    renderer: Arc<Renderer>,
    photos: Range<u32>,
) -> Summary {
    let permits = Arc::new(Semaphore::new(8));
    let mut summary = Summary::default();
    let mut tasks = JoinSet::new();
    for photo in photos {
        // Here, not in the task: no permit, no task.
        let permit = Arc::clone(&permits).acquire_owned().await;
        let permit = permit.expect("it is never closed");
        let renderer = Arc::clone(&renderer);
        tasks.spawn(async move {
            let _permit = permit; // It goes along, and back at the end.
            renderer.render(photo).await
        });
        // Finished tasks leave the set, or it grows with each photo.
        while let Some(joined) = tasks.try_join_next() {
            summary.add(joined);
        }
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

use tokio::{runtime::Handle, time::sleep};

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

/// A service that renders eight thumbnails at a time, and counts.
struct Renderer {
    takes: Duration,
    damaged: Option<u32>,
    open: AtomicUsize,
    most_open: AtomicUsize,
    most_tasks: AtomicUsize,
}

struct Busy;

impl Renderer {
    const CAPACITY: usize = 8;

    fn new(takes: Duration) -> Self {
        Self {
            takes,
            damaged: None,
            open: 0.into(),
            most_open: 0.into(),
            most_tasks: 0.into(),
        }
    }

    /// Refuses the request if eight are open already. Panics at the
    /// photo that is said to be damaged.
    async fn render(&self, photo: u32) -> Result<u32, Busy> {
        let tasks = Handle::current().metrics().num_alive_tasks();
        self.most_tasks.fetch_max(tasks, Ordering::Relaxed);
        let open = 1 + self.open.fetch_add(1, Ordering::Relaxed);
        self.most_open.fetch_max(open, Ordering::Relaxed);
        sleep(self.takes).await;
        self.open.fetch_sub(1, Ordering::Relaxed);
        assert_ne!(Some(photo), self.damaged, "cannot be decoded");
        if open > Self::CAPACITY { Err(Busy) } else { Ok(photo) }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let renderer = Arc::new(Renderer::new(Duration::from_millis(100)));
    let photos = 0..10_000;
    let summary = render_all(Arc::clone(&renderer), photos).await;

    println!("rendered: {}", summary.rendered);
    println!("refused:  {}", summary.refused);
    println!("panicked: {}", summary.panicked);
    let most_open = renderer.most_open.load(Ordering::Relaxed);
    println!("requests open at once: {most_open}");
    let most_tasks = renderer.most_tasks.load(Ordering::Relaxed);
    println!("tasks alive at once:   {most_tasks}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn there_are_as_many_tasks_as_permits() {
        let renderer = Renderer::new(Duration::from_millis(100));
        let renderer = Arc::new(renderer);
        let summary = render_all(Arc::clone(&renderer), 0..100).await;
        assert_eq!((summary.rendered, summary.refused), (100, 0));
        assert_eq!(renderer.most_open.load(Ordering::Relaxed), 8);
        assert_eq!(renderer.most_tasks.load(Ordering::Relaxed), 8);
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
        assert!(renderer.most_open.load(Ordering::Relaxed) <= 8);
        // A task outlives its permit a little, and there is the one
        // that spawns: few all the same.
        assert!(renderer.most_tasks.load(Ordering::Relaxed) < 100);
    }
}
