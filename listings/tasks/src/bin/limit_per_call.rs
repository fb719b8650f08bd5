//! Wrong: every call has its own limit, so ten calls multiply it.

// ANCHOR: wrong
use futures::{StreamExt, stream};

/// Wrong: renders an album, at most eight photos at a time, but every
/// caller gets its own eight.
async fn render_album(renderer: &Renderer, photos: u32) -> usize {
    stream::iter(0..photos)
        .map(|photo| renderer.render(photo))
        .buffer_unordered(8)
        .filter(|thumbnail| std::future::ready(thumbnail.is_ok()))
        .count()
        .await
}
// ANCHOR_END: wrong

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::future;
use tokio::time::sleep;

/// A service that renders eight thumbnails at a time.
#[derive(Default)]
struct Renderer {
    open: AtomicUsize,
    most_open: AtomicUsize,
}

struct Busy;

impl Renderer {
    const CAPACITY: usize = 8;

    /// Refuses the request if eight are open already.
    async fn render(&self, photo: u32) -> Result<u32, Busy> {
        let open = 1 + self.open.fetch_add(1, Ordering::Relaxed);
        self.most_open.fetch_max(open, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        self.open.fetch_sub(1, Ordering::Relaxed);
        if open > Self::CAPACITY { Err(Busy) } else { Ok(photo) }
    }
}

/// Ten customers open an album of twelve photos at the same time.
async fn ten_albums(renderer: &Renderer) -> usize {
    let albums = (0..10).map(|_| render_album(renderer, 12));
    future::join_all(albums).await.into_iter().sum()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let renderer = Renderer::default();
    let rendered = ten_albums(&renderer).await;
    let most_open = renderer.most_open.load(Ordering::Relaxed);
    println!("requests open at a time: {most_open}");
    println!("rendered: {rendered} of 120");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_all_callers_together_keep_within_it() {
        let renderer = Renderer::default();
        let rendered = ten_albums(&renderer).await;
        // The mistake: callers multiply the limit.
        assert_eq!(renderer.most_open.load(Ordering::Relaxed), 80);
        assert!(rendered < 120);
    }

    #[tokio::test(start_paused = true)]
    async fn one_caller_keeps_within_it() {
        let renderer = Renderer::default();
        assert_eq!(render_album(&renderer, 20).await, 20);
        assert_eq!(renderer.most_open.load(Ordering::Relaxed), 8);
    }
}
