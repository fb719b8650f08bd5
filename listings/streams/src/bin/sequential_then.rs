//! A stream alone does nothing at the same time. Four ways to render.

// ANCHOR: ways
use futures::{StreamExt, stream};
use tokio::task::JoinSet;

/// One after the other: `then`, and the body of a loop.
async fn in_turn(photos: u32) {
    stream::iter(0..photos)
        .then(render)
        .for_each(async |thumbnail| store(thumbnail).await)
        .await;
}

/// Renders eight at a time. The body of the loop is still alone, and
/// while it stores, nobody polls the eight.
async fn buffered(photos: u32) {
    stream::iter(0..photos)
        .map(render)
        .buffer_unordered(8)
        .for_each(async |thumbnail| store(thumbnail).await)
        .await;
}

/// Renders *and* stores eight at a time, in one task.
async fn all_of_it(photos: u32) {
    let work = async |photo| store(render(photo).await).await;
    stream::iter(0..photos).for_each_concurrent(8, work).await;
}

/// A task for each: on several threads, if there are any.
async fn in_tasks(photos: u32) {
    let mut tasks = JoinSet::new();
    for photo in 0..photos {
        if tasks.len() == 8 {
            tasks.join_next().await;
        }
        tasks.spawn(async move { store(render(photo).await).await });
    }
    tasks.join_all().await;
}
// ANCHOR_END: ways

use tokio::time::{Duration, Instant, sleep};

/// Asks the service that renders: a second.
async fn render(photo: u32) -> u32 {
    sleep(Duration::from_secs(1)).await;
    photo
}

/// Stores it: half a second.
async fn store(_thumbnail: u32) {
    sleep(Duration::from_millis(500)).await;
}

async fn timed(work: impl Future<Output = ()>) -> u128 {
    let start = Instant::now();
    work.await;
    start.elapsed().as_millis()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("in turn             {:>6} ms", timed(in_turn(16)).await);
    println!("buffer_unordered    {:>6} ms", timed(buffered(16)).await);
    println!(
        "for_each_concurrent {:>6} ms",
        timed(all_of_it(16)).await
    );
    println!("tasks               {:>6} ms", timed(in_tasks(16)).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_waits_together_and_what_does_not() {
        assert_eq!(timed(in_turn(16)).await, 16 * 1500);
        // Each is stored alone: that alone takes eight seconds.
        assert!(timed(buffered(16)).await >= 16 * 500);
        assert_eq!(timed(all_of_it(16)).await, 2 * 1500);
        assert_eq!(timed(in_tasks(16)).await, 2 * 1500);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_futures_of_a_stream_are_one_task() {
        let id = tokio::task::id;
        let here = tokio::spawn(async move {
            let ids = stream::iter(0..8)
                .map(|_| async move { id() })
                .buffer_unordered(8);
            let here = id();
            ids.all(|id| std::future::ready(id == here)).await
        });
        assert!(here.await.expect("no panic"));
    }
}
