//! One limit for all callers: the semaphore belongs to the client.

// ANCHOR: client
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::{
    sync::Semaphore,
    time::{error::Elapsed, timeout},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// The service as its callers see it. The process has only one client.
struct Client {
    renderer: Renderer,
    permits: Semaphore,
}

impl Client {
    /// Waits for a permit, in the order of the calls and without a
    /// limit, and then at most `PATIENCE` for the answer. The permit
    /// is returned even after a timeout, a panic, or a drop.
    async fn render(&self, photo: u32) -> Rendered {
        let permit = self.permits.acquire().await;
        let _permit = permit.expect("it is never closed");
        timeout(PATIENCE, self.renderer.render(photo)).await
    }
}

/// Renders an album. At most eight futures exist at a time.
async fn render_album(
    client: &Client,
    photos: u32,
) -> Vec<(u32, Rendered)> {
    stream::iter(0..photos)
        .map(async |photo| (photo, client.render(photo).await))
        .buffer_unordered(8)
        .collect()
        .await
}
// ANCHOR_END: client

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future;
use tokio::time::sleep;

type Rendered = Result<Result<u32, Busy>, Elapsed>;

/// A service that renders eight thumbnails at a time.
struct Renderer {
    takes: Duration,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

#[derive(Debug)]
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

    /// Refuses the request if eight are open already.
    async fn render(&self, photo: u32) -> Result<u32, Busy> {
        let open = 1 + self.open.fetch_add(1, Ordering::SeqCst);
        self.most_open.fetch_max(open, Ordering::SeqCst);
        let _request = Request(&self.open);
        sleep(self.takes).await;
        assert_ne!(photo, 13, "photo {photo} is damaged");
        if open > Self::CAPACITY { Err(Busy) } else { Ok(photo) }
    }
}

impl Client {
    fn new(takes: Duration) -> Self {
        let (open, most_open) = (0.into(), 0.into());
        Self {
            renderer: Renderer { takes, open, most_open },
            permits: Semaphore::new(Renderer::CAPACITY),
        }
    }
}

/// Ten customers open an album of twelve photos at the same time; how
/// many photos are rendered?
async fn ten_albums(client: &Client) -> usize {
    let albums = (0..10).map(|_| render_album(client, 12));
    let albums = future::join_all(albums).await;
    let photos = albums.into_iter().flatten();
    photos.filter(|(_, it)| matches!(it, Ok(Ok(_)))).count()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let client = Client::new(Duration::from_millis(100));
    let rendered = ten_albums(&client).await;
    let most_open = client.renderer.most_open.load(Ordering::SeqCst);
    println!("requests open at a time: {most_open}");
    println!("rendered: {rendered} of 120");
}

#[cfg(test)]
mod tests {
    use std::{panic::AssertUnwindSafe, sync::Arc};

    use futures::FutureExt;
    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::JoinSet;

    use super::*;

    const TAKES: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn overload_all_callers_together_keep_within_it() {
        let client = Client::new(TAKES);
        assert_eq!(ten_albums(&client).await, 120);
        let most_open =
            client.renderer.most_open.load(Ordering::SeqCst);
        assert_eq!(most_open, 8);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_the_permits_back() {
        at_every_poll(async |cancel| {
            let client = Client::new(TAKES);
            cancel.run(render_album(&client, 12)).await;
            assert_eq!(client.permits.available_permits(), 8);
            assert_eq!(client.renderer.open.load(Ordering::SeqCst), 0);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_gives_the_permits_back_in_time() {
        let client = Client::new(2 * HOUR);
        let albums = (0..3).map(|_| render_album(&client, 12));
        let albums = within(HOUR, future::join_all(albums)).await;
        let mut photos = albums.into_iter().flatten();
        assert!(photos.all(|(_, it)| it.is_err()));
        assert_eq!(client.permits.available_permits(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_gives_the_permits_back() {
        let client = Client::new(TAKES);
        let album = render_album(&client, 20);
        let panicked = AssertUnwindSafe(album).catch_unwind().await;
        assert!(panicked.is_err());
        assert_eq!(client.permits.available_permits(), 8);
        assert_eq!(ten_albums(&client).await, 120);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_returned_with_its_photo() {
        let client = Client::new(TAKES);
        // Another process has eight requests open.
        client.renderer.open.store(8, Ordering::SeqCst);
        let album = render_album(&client, 3).await;
        assert_eq!(album.len(), 3);
        for (place, (photo, outcome)) in (0..).zip(album) {
            assert_eq!(photo, place);
            assert!(matches!(outcome, Ok(Err(Busy))));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_an_empty_album() {
        let client = Client::new(TAKES);
        let album = within(HOUR, render_album(&client, 0)).await;
        assert!(album.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_the_limit() {
        let client = Arc::new(Client::new(Duration::from_millis(1)));
        let mut albums = JoinSet::new();
        for _ in 0..10 {
            let client = Arc::clone(&client);
            albums
                .spawn(async move { render_album(&client, 12).await });
        }
        let albums = albums.join_all().await;
        assert!(albums.iter().all(|it| it.len() == 12));
        let most_open =
            client.renderer.most_open.load(Ordering::SeqCst);
        assert!(most_open <= 8);
    }
}
