//! A stream runs one item at a time: four ways to render photos.

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
async fn all_of_it(photos: u32, report: impl Fn(Failed)) {
    let work = async |photo| {
        if let Err(TooSlow) = process(photo).await {
            report(Failed::TooSlow(photo));
        }
    };
    stream::iter(0..photos).for_each_concurrent(8, work).await;
}

/// Both steps for one photo, with a time limit.
async fn process(photo: u32) -> Result<(), TooSlow> {
    let work = async { store(render(photo).await).await };
    timeout(Duration::from_secs(30), work).await.map_err(|_| TooSlow)
}
// ANCHOR_END: ways

// ANCHOR: in_tasks
use tokio::task::JoinError;
use tokio_util::task::JoinMap;

/// A task for each photo, eight at a time: on several threads, if there
/// are any. A photo that panics is reported, and the others continue.
///
/// If dropped, it aborts the tasks.
async fn in_tasks(photos: u32, report: impl Fn(Failed)) {
    let check =
        |(photo, ended): (u32, Result<_, JoinError>)| match ended {
            Ok(Ok(())) => {}
            Ok(Err(TooSlow)) => report(Failed::TooSlow(photo)),
            Err(error) => report(Failed::Panicked(photo, error)),
        };
    let mut tasks = JoinMap::new();
    for photo in 0..photos {
        if tasks.len() == 8
            && let Some(ended) = tasks.join_next().await
        {
            check(ended);
        }
        tasks.spawn(photo, process(photo));
    }
    while let Some(ended) = tasks.join_next().await {
        check(ended);
    }
}
// ANCHOR_END: in_tasks

struct TooSlow;

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("photo {0}: no answer")]
    TooSlow(u32),
    #[error("photo {0}: {1}")]
    Panicked(u32, JoinError),
}

use tokio::time::{Duration, Instant, sleep, timeout};

/// Asks the service that renders: a second.
async fn render(photo: u32) -> u32 {
    assert!(!BROKEN.contains(&photo), "photo {photo} is broken");
    if SILENT.contains(&photo) {
        std::future::pending::<()>().await;
    }
    sleep(Duration::from_secs(1)).await;
    photo
}

/// Photos that no service can render.
const BROKEN: [u32; 2] = [100, 115];
/// Photos for which there is no answer.
const SILENT: std::ops::Range<u32> = 30..50;

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
    let report = |failed| println!("{failed}");
    println!("in turn             {:>6} ms", timed(in_turn(16)).await);
    println!("buffer_unordered    {:>6} ms", timed(buffered(16)).await);
    let concurrently = timed(all_of_it(16, report)).await;
    println!("for_each_concurrent {concurrently:>6} ms");
    let in_tasks = timed(in_tasks(16, report)).await;
    println!("tasks               {in_tasks:>6} ms");
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    fn unexpected(failed: Failed) {
        unreachable!("{failed}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_together_and_what_does_not() {
        assert_eq!(timed(in_turn(16)).await, 16 * 1500);
        // Each is stored alone: that alone takes eight seconds.
        assert!(timed(buffered(16)).await >= 16 * 500);
        assert_eq!(timed(all_of_it(16, unexpected)).await, 2 * 1500);
        assert_eq!(timed(in_tasks(16, unexpected)).await, 2 * 1500);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_task_names_its_photo() {
        let failed = Mutex::new(Vec::new());
        let keep = |error: Failed| {
            failed.lock().expect("no panic").push(error.to_string());
        };
        in_tasks(116, keep).await;
        let failed = failed.into_inner().expect("no panic").join("\n");
        for photo in BROKEN {
            let message = format!("photo {photo} is broken");
            assert!(failed.contains(&message), "{failed}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_more_photos_than_places() {
        let failed = Mutex::new(Vec::new());
        let keep = |error| failed.lock().expect("no panic").push(error);
        within(HOUR, all_of_it(60, keep)).await;
        within(HOUR, in_tasks(60, keep)).await;
        let failed = failed.into_inner().expect("no panic");
        let silent: Vec<_> = failed
            .into_iter()
            .filter_map(|failed| match failed {
                Failed::TooSlow(photo) => Some(photo),
                Failed::Panicked(..) => None,
            })
            .collect();
        for photo in SILENT {
            let times = silent.iter().filter(|it| **it == photo);
            assert_eq!(times.count(), 2, "{photo}");
        }
        assert_eq!(silent.len(), 2 * SILENT.len());
    }

    #[tokio::test(start_paused = true)]
    async fn overload_runs_eight_tasks() {
        let metrics = tokio::runtime::Handle::current().metrics();
        let watch = async {
            sleep(Duration::from_millis(100)).await;
            metrics.num_alive_tasks()
        };
        let work = in_tasks(17, unexpected);
        let ((), alive) = tokio::join!(work, watch);
        assert_eq!(alive, 8);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            cancel.run(in_tasks(17, unexpected)).await;
            no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_no_task_is_left() {
        let owner = tokio::spawn(in_tasks(17, unexpected));
        sleep(Duration::from_millis(100)).await;
        owner.abort();
        no_task_left().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_no_photo() {
        in_turn(0).await;
        buffered(0).await;
        all_of_it(0, unexpected).await;
        in_tasks(0, unexpected).await;
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
