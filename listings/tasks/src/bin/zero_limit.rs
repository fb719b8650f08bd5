//! Wrong: with a limit of zero, the work never starts.

use std::{ops::Range, time::Duration};

use tokio::time::{Instant, sleep, timeout};

// ANCHOR: wrong
use futures::{StreamExt, stream};

/// Wrong: `limit` can be 0. In that case, the stream never starts a
/// future, so nothing can ever wake it.
async fn render_all(photos: Range<u32>, limit: usize) -> Vec<u32> {
    stream::iter(photos)
        .map(render)
        .buffer_unordered(limit)
        .collect()
        .await
}
// ANCHOR_END: wrong

async fn render(photo: u32) -> u32 {
    sleep(Duration::from_millis(100)).await;
    photo
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    // One photo at a time for each machine in the configuration.
    let two = &["berlin", "oslo"][..];
    for (machines, photos) in [(two, 6), (&[], 6), (&[], 0)] {
        let limit = machines.len();
        let start = Instant::now();
        let batch = render_all(0..photos, limit);
        let ended = match timeout(HOUR, batch).await {
            Ok(_) => format!("{} ms", start.elapsed().as_millis()),
            Err(_elapsed) => "not within an hour".to_owned(),
        };
        println!("limit {limit}, {photos} photos: {ended}");
    }
    println!("No error and no load: it waits forever.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_limit() {
        assert!(timeout(HOUR, render_all(0..6, 0)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn even_when_there_is_nothing_to_do() {
        assert!(timeout(HOUR, render_all(0..0, 0)).await.is_err());
        assert_eq!(render_all(0..0, 1).await, []);
        assert_eq!(render_all(2..5, 1).await, [2, 3, 4]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_do_not_help() {
        let wait = Duration::from_millis(20);
        assert!(timeout(wait, render_all(0..6, 0)).await.is_err());
    }
}
