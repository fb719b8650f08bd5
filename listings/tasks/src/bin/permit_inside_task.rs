//! Wrong: the permit is acquired inside the task, so all tasks exist.

// ANCHOR: wrong
use std::{ops::Range, sync::Arc};

use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinSet},
};

/// Wrong: the permit limits the requests, but not the tasks. Every
/// photo has a task from the start, and most tasks only wait.
async fn render_all(
    renderer: Arc<Renderer>,
    photos: Range<u32>,
) -> Result<Summary, JoinError> {
    let permits = Arc::new(Semaphore::new(8));
    let mut tasks = JoinSet::new();
    for photo in photos {
        let permits = Arc::clone(&permits);
        let renderer = Arc::clone(&renderer);
        tasks.spawn(async move {
            let _permit =
                permits.acquire().await.expect("it is never closed");
            renderer.render(photo).await
        });
    }
    let mut summary = Summary::default();
    while let Some(joined) = tasks.join_next().await {
        summary.add(joined?);
    }
    Ok(summary)
}
// ANCHOR_END: wrong

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};

#[derive(Default)]
struct Summary {
    rendered: usize,
    refused: usize,
}

impl Summary {
    fn add(&mut self, thumbnail: Result<u32, Busy>) {
        match thumbnail {
            Ok(_) => self.rendered += 1,
            Err(Busy) => self.refused += 1,
        }
    }
}

/// A service that renders eight thumbnails at a time, and counts.
struct Renderer {
    takes: Duration,
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
            open: 0.into(),
            most_open: 0.into(),
            most_tasks: 0.into(),
        }
    }

    /// Refuses the request if eight are open already.
    async fn render(&self, photo: u32) -> Result<u32, Busy> {
        let tasks = Handle::current().metrics().num_alive_tasks();
        self.most_tasks.fetch_max(tasks, Ordering::Relaxed);
        let open = 1 + self.open.fetch_add(1, Ordering::Relaxed);
        self.most_open.fetch_max(open, Ordering::Relaxed);
        sleep(self.takes).await;
        self.open.fetch_sub(1, Ordering::Relaxed);
        if open > Self::CAPACITY { Err(Busy) } else { Ok(photo) }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    let renderer = Arc::new(Renderer::new(Duration::from_millis(100)));
    let photos = 0..10_000;
    let summary = render_all(Arc::clone(&renderer), photos).await?;

    println!("rendered: {}", summary.rendered);
    println!("refused:  {}", summary.refused);
    let most_open = renderer.most_open.load(Ordering::Relaxed);
    println!("requests open at a time: {most_open}");
    let most_tasks = renderer.most_tasks.load(Ordering::Relaxed);
    println!("tasks alive at a time:   {most_tasks}");
    let waiting = most_tasks - most_open;
    println!("{waiting} tasks used memory only to wait for a permit.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_there_are_as_many_tasks_as_permits() {
        let renderer = Renderer::new(Duration::from_millis(100));
        let renderer = Arc::new(renderer);
        let summary = render_all(Arc::clone(&renderer), 0..100)
            .await
            .expect("no panic");
        assert_eq!((summary.rendered, summary.refused), (100, 0));
        assert_eq!(renderer.most_open.load(Ordering::Relaxed), 8);
        // The mistake: there are as many tasks as photos.
        assert_eq!(renderer.most_tasks.load(Ordering::Relaxed), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn each_refusal_is_counted() {
        let renderer = Renderer::new(Duration::from_millis(100));
        // Others have eight requests open.
        renderer.open.store(8, Ordering::Relaxed);
        let summary = render_all(Arc::new(renderer), 0..3)
            .await
            .expect("no panic");
        assert_eq!((summary.rendered, summary.refused), (0, 3));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_tasks_pile_up_on_many_threads_too() {
        let renderer = Renderer::new(Duration::from_millis(50));
        let renderer = Arc::new(renderer);
        let work = render_all(Arc::clone(&renderer), 0..100);
        let summary = tokio::spawn(work)
            .await
            .expect("no panic")
            .expect("no panic in a task");
        assert_eq!((summary.rendered, summary.refused), (100, 0));
        assert!(renderer.most_open.load(Ordering::Relaxed) <= 8);
        // All are spawned long before the first half is rendered.
        assert!(renderer.most_tasks.load(Ordering::Relaxed) > 50);
    }
}
