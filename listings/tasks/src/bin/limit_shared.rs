//! One limit for all callers: the permits belong to the client.

// ANCHOR: client
use futures::{StreamExt, stream};
use tokio::sync::Semaphore;

/// The service as its callers see it. There is one in the process.
struct Client {
    renderer: Renderer,
    permits: Semaphore,
}

impl Client {
    /// Waits for a permit, in the order of the calls.
    async fn render(&self, photo: u32) -> Result<u32, Busy> {
        let permit = self.permits.acquire().await;
        let _permit = permit.expect("it is never closed");
        self.renderer.render(photo).await
    }
}

/// Renders an album. Eight futures at most wait or run for it.
async fn render_album(client: &Client, photos: u32) -> usize {
    stream::iter(0..photos)
        .map(|photo| client.render(photo))
        .buffer_unordered(8)
        .filter(|thumbnail| std::future::ready(thumbnail.is_ok()))
        .count()
        .await
}
// ANCHOR_END: client

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

impl Client {
    fn new() -> Self {
        Self {
            renderer: Renderer::default(),
            permits: Semaphore::new(Renderer::CAPACITY),
        }
    }
}

/// Ten customers open an album of twenty photos at the same time.
async fn ten_albums(client: &Client) -> usize {
    let albums = (0..10).map(|_| render_album(client, 20));
    future::join_all(albums).await.into_iter().sum()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let client = Client::new();
    let rendered = ten_albums(&client).await;
    let most_open = client.renderer.most_open.load(Ordering::Relaxed);
    println!("requests open at once: {most_open}");
    println!("rendered: {rendered} of 200");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_callers_together_keep_within_it() {
        let client = Client::new();
        assert_eq!(ten_albums(&client).await, 200);
        let most_open =
            client.renderer.most_open.load(Ordering::Relaxed);
        assert_eq!(most_open, 8);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_leaves_gives_the_permits_back() {
        let client = Client::new();
        let leaves = tokio::time::timeout(
            Duration::from_millis(50),
            render_album(&client, 20),
        );
        assert!(leaves.await.is_err());
        assert_eq!(client.permits.available_permits(), 8);
    }
}
