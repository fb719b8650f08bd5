//! `poll_fn` turns the poll method of a set of tasks into a stream.

// ANCHOR: finished
use futures::{Stream, StreamExt, stream};
use tokio::task::{JoinError, JoinSet};

/// The results of the tasks, as they finish. A panic is an item too.
/// If dropped, it aborts the tasks and doesn't wait for them.
fn finished<T: 'static>(
    mut tasks: JoinSet<T>,
) -> impl Stream<Item = Result<T, JoinError>> {
    stream::poll_fn(move |context| tasks.poll_join_next(context))
}
// ANCHOR_END: finished

use tokio::time::{Duration, sleep};

/// Three photos, the first of which takes the longest.
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
    use hazards::{at_every_poll, no_task_left, some_panic};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_photos_come_last() {
        let photos = finished(render());
        let photos: Vec<_> =
            photos.filter_map(async |photo| photo.ok()).collect().await;
        assert_eq!(photos, [3, 2, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_some_tasks_is_an_item_for_each() {
        for panics in some_panic(5) {
            let broken = panics.len();
            let tasks: JoinSet<_> = (0..5)
                .map(|job| {
                    let panics = panics.contains(&job);
                    async move { assert!(!panics, "job {job}") }
                })
                .collect();
            let ended: Vec<_> = finished(tasks).collect().await;
            assert_eq!(ended.len(), 5);
            let failed = ended.iter().filter(|it| it.is_err());
            assert_eq!(failed.count(), broken);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_loses_no_photo() {
        at_every_poll(async |cancel| {
            let mut photos = finished(render());
            let first = cancel.run(photos.next()).await.flatten();
            let rest = photos.count().await;
            assert_eq!(rest + usize::from(first.is_some()), 3);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_no_task_is_left() {
        let tasks = (0..3).map(|_| std::future::pending::<()>());
        let tasks: JoinSet<()> = tasks.collect();
        drop(finished(tasks));
        no_task_left().await;
    }

    #[tokio::test]
    async fn edges_no_task() {
        let mut none = finished(JoinSet::<()>::new());
        assert!(none.next().await.is_none());
        assert!(none.next().await.is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_lose_no_outcome() {
        for _ in 0..50 {
            let tasks: JoinSet<u32> =
                (0..1000).map(async |job| job).collect();
            let sum = finished(tasks)
                .fold(0, async |sum, job| {
                    sum + u64::from(job.expect("no panic"))
                })
                .await;
            assert_eq!(sum, 999 * 1000 / 2);
        }
    }
}
