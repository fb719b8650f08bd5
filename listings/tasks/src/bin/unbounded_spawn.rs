//! Wrong: a hundred requests at the same time, but the limit is eight.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::{JoinError, JoinSet},
    time::sleep,
};

// ANCHOR: wrong
/// Wrong: there are as many requests as photos. Nothing here
/// limits them to the number that the service accepts.
async fn render_all(
    renderer: Arc<Renderer>,
    photos: Range<u32>,
) -> Result<Vec<Result<u32, Busy>>, JoinError> {
    let mut tasks = JoinSet::new();
    for photo in photos {
        let renderer = Arc::clone(&renderer);
        tasks.spawn(async move { renderer.render(photo).await });
    }
    let mut thumbnails = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        thumbnails.push(joined?);
    }
    Ok(thumbnails)
}
// ANCHOR_END: wrong

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
async fn main() -> Result<(), JoinError> {
    let renderer = Arc::new(Renderer::new(Duration::from_millis(100)));
    let thumbnails = render_all(Arc::clone(&renderer), 0..100).await?;

    let peak = renderer.peak.load(Ordering::Relaxed);
    println!("requests open at a time: {peak}");
    let refused = thumbnails.iter().filter(|it| it.is_err()).count();
    println!("rendered: {}", thumbnails.len() - refused);
    println!(
        "The service takes {} at a time and refused {refused} of {}.",
        Renderer::CAPACITY,
        thumbnails.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_a_hundred_photos_take_thirteen_rounds() {
        let takes = Duration::from_millis(100);
        let renderer = Arc::new(Renderer::new(takes));
        let thumbnails = render_all(Arc::clone(&renderer), 0..100)
            .await
            .expect("no panic");
        // The mistake: all are asked for at the same time.
        assert_eq!(renderer.peak.load(Ordering::Relaxed), 100);
        let refused =
            thumbnails.iter().filter(|it| it.is_err()).count();
        assert_eq!(refused, 92);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn some_are_refused_on_many_threads_too() {
        // Each request stays open until all have been made.
        let renderer =
            Arc::new(Renderer::new(Duration::from_millis(200)));
        let thumbnails = render_all(Arc::clone(&renderer), 0..100)
            .await
            .expect("no panic");
        assert!(renderer.peak.load(Ordering::Relaxed) > 8);
        assert!(thumbnails.iter().any(|it| it.is_err()));
    }
}
