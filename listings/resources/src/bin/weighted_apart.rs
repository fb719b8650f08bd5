//! Small jobs have their own semaphore.

use std::{collections::HashMap, sync::Arc};

use tokio::{
    sync::{AcquireError, Semaphore},
    task::JoinSet,
    time::{Duration, Instant, error::Elapsed, sleep, timeout},
};

// ANCHOR: encode
/// A permit is a gigabyte of memory: four for large videos, and a
/// fifth for small ones.
struct Memory {
    large: Semaphore,
    small: Semaphore,
}

const LARGE: u32 = 4;

/// Waits for memory, then encodes. A video that needs more than `LARGE`
/// gets an error, because it would wait forever.
async fn encode(
    video: &Video,
    memory: &Memory,
) -> Result<(), EncodeError> {
    let _permits = match video.gigabytes {
        0 | 1 => memory.small.acquire().await?,
        2..=LARGE => memory.large.acquire_many(video.gigabytes).await?,
        more => return Err(EncodeError::TooLarge(more)),
    };
    // This stops async code only: a blocking closure keeps running and
    // keeps its memory, so it would have to own the permits.
    timeout(Duration::from_secs(3600), video.encode()).await?;
    Ok(())
}
// ANCHOR_END: encode

#[derive(Debug, thiserror::Error)]
enum EncodeError {
    #[error("it needs {0} GB, and there are {LARGE}")]
    TooLarge(u32),
    #[error("it takes longer than an hour")]
    TimedOut(#[from] Elapsed),
    #[error("shutting down")]
    Closed(#[from] AcquireError),
}

// ANCHOR: apart
/// Encodes all videos. Reports each outcome when it's known: if one
/// video fails or panics, the others continue. A panic in `report`
/// stops them all.
///
/// Pass the same `memory` to every call in the process: a limit that
/// each call makes for itself doesn't limit two calls together.
async fn encode_all(
    memory: &Arc<Memory>,
    videos: Vec<Video>,
    mut report: impl FnMut(&str, Result<(), String>),
) {
    let (mut tasks, mut names) = (JoinSet::new(), HashMap::new());
    for video in videos {
        let (name, memory) = (video.name, Arc::clone(memory));
        let task = async move { encode(&video, &memory).await };
        names.insert(tasks.spawn(task).id(), name);
    }
    while let Some(ended) = tasks.join_next_with_id().await {
        let (id, outcome) = match ended {
            Ok((id, Ok(()))) => (id, Ok(())),
            Ok((id, Err(error))) => (id, Err(error.to_string())),
            Err(panic) => (panic.id(), Err(panic.to_string())),
        };
        report(names[&id], outcome);
    }
}
// ANCHOR_END: apart

struct Video {
    name: &'static str,
    gigabytes: u32,
    takes: Duration,
}

impl Video {
    async fn encode(&self) {
        sleep(self.takes).await;
        assert!(self.name != "broken", "a broken video");
    }
}

fn video(name: &'static str, gigabytes: u32, takes: u64) -> Video {
    Video { name, gigabytes, takes: Duration::from_secs(takes) }
}

fn memory() -> Arc<Memory> {
    let large = Semaphore::new(LARGE as usize);
    Arc::new(Memory { large, small: Semaphore::new(1) })
}

fn videos() -> Vec<Video> {
    vec![
        video("a talk (2 GB)", 2, 10),
        video("a film (4 GB)", 4, 30),
        video("a clip (1 GB)", 1, 1),
        video("a clip (1 GB)", 1, 1),
    ]
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    encode_all(&memory(), videos(), |name, outcome| {
        let at = start.elapsed().as_secs();
        match outcome {
            Ok(()) => println!("{at:>2} s: {name}"),
            Err(error) => println!("{at:>2} s: {name}: {error}"),
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };

    use super::*;

    /// The outcomes, with the seconds.
    async fn outcomes(
        videos: Vec<Video>,
    ) -> Vec<(u64, String, Result<(), String>)> {
        let (memory, start) = (memory(), Instant::now());
        let mut outcomes = Vec::new();
        let report = |name: &str, outcome| {
            let at = start.elapsed().as_secs();
            outcomes.push((at, name.to_owned(), outcome));
        };
        let encode = encode_all(&memory, videos, report);
        within(3 * HOUR, encode).await;
        outcomes
    }

    #[tokio::test(start_paused = true)]
    async fn overload_clips_behind_a_film() {
        let outcomes = outcomes(videos()).await;
        assert!(outcomes.iter().all(|(_, _, it)| it.is_ok()));
        let at: Vec<_> = outcomes.iter().map(|it| it.0).collect();
        assert_eq!(at, [1, 2, 10, 40]);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_two_calls_share_the_memory() {
        let (memory, start) = (memory(), Instant::now());
        let film = async || {
            let film = vec![video("a film", 4, 30)];
            encode_all(&memory, film, |_, _| {}).await;
            start.elapsed().as_secs()
        };
        assert_eq!(tokio::join!(film(), film()), (30, 60));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_one_video_leaves_the_others() {
        for broken in some_panic(4) {
            let mut videos = videos();
            for video in &broken {
                videos[*video].name = "broken";
            }
            let outcomes = outcomes(videos).await;
            assert_eq!(outcomes.len(), 4);
            for (_, name, outcome) in outcomes {
                let is_broken = name == "broken";
                assert_eq!(outcome.is_err(), is_broken);
                let text = outcome.err().unwrap_or_default();
                assert_eq!(text.contains("a broken video"), is_broken);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_in_the_report_stops_all() {
        let task = tokio::spawn(async {
            let report = |_: &str, _| panic!("a broken report");
            encode_all(&memory(), videos(), report).await;
        });
        let error = within(HOUR, task).await.expect_err("it panics");
        assert!(error.to_string().contains("a broken report"));
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_too_large_and_nothing() {
        let mut videos = videos();
        videos.insert(0, video("an opera", 8, 1));
        videos.insert(0, video("a still", 0, 1));
        let outcomes = outcomes(videos).await;
        let refused: Vec<_> =
            outcomes.iter().filter(|it| it.2.is_err()).collect();
        let [(0, name, Err(error))] = &*refused else {
            panic!("one is too large: {refused:?}");
        };
        assert_eq!(name, "an opera");
        assert_eq!(error, "it needs 8 GB, and there are 4");
        let none = |_: &str, _| panic!("there is none");
        encode_all(&memory(), Vec::new(), none).await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_an_encoder_frees_the_memory() {
        let endless = || video("endless", 4, u64::from(u32::MAX));
        let videos = vec![endless(), endless(), video("a film", 4, 1)];
        let outcomes = outcomes(videos).await;
        let times: Vec<_> = outcomes.iter().map(|it| it.0).collect();
        assert_eq!(times, [3600, 7200, 7201]);
        assert!(outcomes[0].2.is_err() && outcomes[2].2.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_stops_all_of_them() {
        at_every_poll(async |cancel| {
            cancel
                .run(encode_all(&memory(), videos(), |_, _| {}))
                .await;
            no_task_left().await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_report_each_video_once() {
        let videos = (0..100).map(|it| video("a still", it % 5, 0));
        let mut reports = 0;
        let report = |_: &str, _| reports += 1;
        encode_all(&memory(), videos.collect(), report).await;
        assert_eq!(reports, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_those_that_wait() {
        let memory = memory();
        memory.large.close();
        let film = video("a film", 4, 1);
        let refused = encode(&film, &memory).await;
        let error = refused.expect_err("it is closed");
        assert_eq!(error.to_string(), "shutting down");
    }
}
