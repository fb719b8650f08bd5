//! What a limit of zero means, call by call.

// ANCHOR: zero
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

const SECOND: Duration = Duration::from_secs(1);

/// How many of a hundred photos are rendered at a time.
async fn for_each_concurrent(renderer: &Renderer) -> usize {
    let photos = stream::iter(0..100);
    photos.for_each_concurrent(0, |it| renderer.render(it)).await;
    renderer.most_open()
}

async fn buffer_unordered(renderer: &Renderer) -> bool {
    let photos = stream::iter(0..100).map(|it| renderer.render(it));
    let all = photos.buffer_unordered(0).count();
    timeout(SECOND, all).await.is_ok()
}

async fn semaphore() -> bool {
    timeout(SECOND, Semaphore::new(0).acquire()).await.is_ok()
}

fn channel() {
    mpsc::channel::<u32>(0);
}
// ANCHOR_END: zero

use std::{
    any::Any,
    panic::{catch_unwind, set_hook},
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::time::sleep;

/// A service that renders thumbnails, and counts.
#[derive(Default)]
struct Renderer {
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl Renderer {
    async fn render(&self, _photo: u32) {
        let open = 1 + self.open.fetch_add(1, Ordering::Relaxed);
        self.most_open.fetch_max(open, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    fn most_open(&self) -> usize {
        self.most_open.load(Ordering::Relaxed)
    }
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().unwrap_or(&"no message")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    set_hook(Box::new(|_| ()));
    let end = |ended| if ended { "ends" } else { "hangs" };

    let all = for_each_concurrent(&Renderer::default()).await;
    println!("for_each_concurrent(0): {all} at a time, no limit");
    let ended = buffer_unordered(&Renderer::default()).await;
    println!("buffer_unordered(0):    {}", end(ended));
    println!("Semaphore::new(0):      {}", end(semaphore().await));
    if let Err(panic) = catch_unwind(channel) {
        println!("mpsc::channel(0):       panics:");
        println!("  {}", message(&*panic));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn zero_is_no_limit_for_one_and_a_hang_for_others() {
        assert_eq!(
            for_each_concurrent(&Renderer::default()).await,
            100
        );
        assert!(!buffer_unordered(&Renderer::default()).await);
        assert!(!semaphore().await);
    }

    #[test]
    #[should_panic = "buffer > 0"]
    fn a_channel_refuses_it() {
        channel();
    }
}
