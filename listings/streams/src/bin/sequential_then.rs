//! A stream alone does one thing at a time. Four ways to render.

// ANCHOR: ways
use futures::{StreamExt, stream};

/// One after another: `then`, and the body of a loop.
async fn in_turn(photos: u32) {
    stream::iter(0..photos)
        .then(render)
        .for_each(async |thumbnail| store(thumbnail).await)
        .await;
}

/// Renders eight at a time. The body of the loop stores one at a time,
/// and while it does, the eight aren't polled.
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
// ANCHOR_END: ways

// ANCHOR: in_tasks
use tokio::task::JoinError;
use tokio_util::task::JoinMap;

/// A task for each photo, eight at a time: on several threads, if there
/// are any. Returns the photos whose task has panicked.
///
/// Dropped, it aborts the tasks.
async fn in_tasks(photos: u32) -> Vec<(u32, JoinError)> {
    let mut tasks = JoinMap::new();
    let mut failed = Vec::new();
    for photo in 0..photos {
        if tasks.len() == 8 {
            failed.extend(panic_of(tasks.join_next().await));
        }
        let work = async move { store(render(photo).await).await };
        tasks.spawn(photo, work);
    }
    while !tasks.is_empty() {
        failed.extend(panic_of(tasks.join_next().await));
    }
    failed
}

fn panic_of(
    ended: Option<(u32, Result<(), JoinError>)>,
) -> Option<(u32, JoinError)> {
    let (photo, outcome) = ended?;
    Some((photo, outcome.err()?))
}
// ANCHOR_END: in_tasks

use tokio::time::{Duration, Instant, sleep};

/// Asks the service that renders: a second.
async fn render(photo: u32) -> u32 {
    assert!(!BROKEN.contains(&photo), "photo {photo} is broken");
    sleep(Duration::from_secs(1)).await;
    photo
}

/// Photos that no service can render.
const BROKEN: [u32; 2] = [100, 115];

/// Stores it: half a second.
async fn store(_thumbnail: u32) {
    sleep(Duration::from_millis(500)).await;
}

async fn timed<T>(work: impl Future<Output = T>) -> u128 {
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
    use hazards::{at_every_poll, no_task_left};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_waits_together_and_what_does_not() {
        assert_eq!(timed(in_turn(16)).await, 16 * 1500);
        // Each is stored alone: that alone takes eight seconds.
        assert!(timed(buffered(16)).await >= 16 * 500);
        assert_eq!(timed(all_of_it(16)).await, 2 * 1500);
        assert_eq!(timed(in_tasks(16)).await, 2 * 1500);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_task_names_its_photo() {
        let failed = in_tasks(116).await;
        let photos: Vec<_> =
            failed.iter().map(|(photo, _)| *photo).collect();
        assert_eq!(photos, BROKEN);
        let message = failed[0].1.to_string();
        assert!(message.contains("photo 100 is broken"), "{message}");
    }

    #[tokio::test(start_paused = true)]
    async fn overload_runs_eight_tasks() {
        let metrics = tokio::runtime::Handle::current().metrics();
        let watch = async {
            sleep(Duration::from_millis(100)).await;
            metrics.num_alive_tasks()
        };
        let (failed, alive) = tokio::join!(in_tasks(17), watch);
        assert!(failed.is_empty());
        assert_eq!(alive, 8);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            cancel.run(in_tasks(17)).await;
            no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_no_task_is_left() {
        let owner = tokio::spawn(in_tasks(17));
        sleep(Duration::from_millis(100)).await;
        owner.abort();
        no_task_left().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_no_photo() {
        in_turn(0).await;
        buffered(0).await;
        all_of_it(0).await;
        assert!(in_tasks(0).await.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_the_futures_of_a_stream_are_one_task() {
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
