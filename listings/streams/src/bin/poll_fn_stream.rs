//! A set of tasks has a poll method: that is all a stream needs.

// ANCHOR: finished
use futures::{Stream, StreamExt, stream};
use tokio::task::{JoinError, JoinSet};

/// What the tasks return, as they finish. Dropped, it aborts them.
fn finished<T: 'static>(
    mut tasks: JoinSet<T>,
) -> impl Stream<Item = Result<T, JoinError>> {
    stream::poll_fn(move |context| tasks.poll_join_next(context))
}
// ANCHOR_END: finished

use tokio::time::{Duration, sleep};

/// Three photos, of which the first takes the longest.
fn render() -> JoinSet<u32> {
    let render = |photo| async move {
        sleep(Duration::from_millis(40 - 10 * u64::from(photo))).await;
        photo
    };
    (1..=3).map(render).collect()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    let mut photos = finished(render());
    while let Some(photo) = photos.next().await {
        println!("photo {}", photo?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn they_come_as_they_finish() {
        let photos = finished(render());
        let photos: Vec<_> =
            photos.filter_map(async |photo| photo.ok()).collect().await;
        assert_eq!(photos, [3, 2, 1]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dropped_stream_aborts_its_tasks() {
        let held = Arc::new(());
        let mut tasks = JoinSet::new();
        for _ in 0..3 {
            let held = Arc::clone(&held);
            tasks.spawn(async move {
                std::future::pending::<()>().await;
                drop(held);
            });
        }
        drop(finished(tasks));
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
