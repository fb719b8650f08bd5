//! Wrong: small jobs wait behind a large one although permits are free.

use std::sync::Arc;

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Duration, Instant, sleep},
};

// ANCHOR: wrong
/// A permit is a gigabyte of memory. There are four.
async fn encode(video: Video, memory: &Semaphore) {
    let permits = memory.acquire_many(video.gigabytes).await;
    let _permits = permits.expect("it is never closed");
    sleep(video.takes).await;
}

async fn encode_all(start: Instant) {
    // Wrong: one queue for all, and a film at its head holds up every
    // clip behind it.
    let memory = Arc::new(Semaphore::new(4));
    let mut tasks = JoinSet::new();
    for video in VIDEOS {
        let memory = Arc::clone(&memory);
        tasks.spawn(async move {
            encode(video, &memory).await;
            video.name
        });
    }
    while let Some(Ok(name)) = tasks.join_next().await {
        println!("{:>2} s: {name}", start.elapsed().as_secs());
    }
}
// ANCHOR_END: wrong

#[derive(Clone, Copy)]
struct Video {
    name: &'static str,
    gigabytes: u32,
    takes: Duration,
}

const fn video(
    name: &'static str,
    gigabytes: u32,
    takes: u64,
) -> Video {
    Video { name, gigabytes, takes: Duration::from_secs(takes) }
}

const VIDEOS: [Video; 4] = [
    video("a talk (2 GB)", 2, 10),
    video("a film (4 GB)", 4, 30),
    video("a clip (1 GB)", 1, 1),
    video("a clip (1 GB)", 1, 1),
];

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    encode_all(Instant::now()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_large_request_takes_what_is_free() {
        let memory = Arc::new(Semaphore::new(4));
        let talk = memory.acquire_many(2).await;
        let mut film = Box::pin(memory.acquire_many(4));
        assert!(futures::poll!(&mut film).is_pending());
        // Two are free, and nobody else gets one.
        assert_eq!(memory.available_permits(), 0);
        assert!(memory.try_acquire().is_err());
        // After it's dropped, they're free again.
        drop(film);
        assert_eq!(memory.available_permits(), 2);
        drop(talk);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_clips_behind_a_film() {
        let start = Instant::now();
        encode_all(start).await;
        assert_eq!(start.elapsed(), Duration::from_secs(41));
    }
}
