//! Small jobs have a line of their own.

use std::sync::Arc;

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Duration, Instant, sleep},
};

/// A permit is a gigabyte of memory.
async fn encode(video: Video, memory: &Semaphore) {
    let permits = memory.acquire_many(video.gigabytes).await;
    let _permits = permits.expect("it is never closed");
    sleep(video.takes).await;
}

// ANCHOR: apart
async fn encode_all(start: Instant) {
    let large = Arc::new(Semaphore::new(4));
    let small = Arc::new(Semaphore::new(1));
    let mut tasks = JoinSet::new();
    for video in VIDEOS {
        let is_small = video.gigabytes == 1;
        let memory = if is_small { &small } else { &large };
        let memory = Arc::clone(memory);
        tasks.spawn(async move {
            encode(video, &memory).await;
            video.name
        });
    }
    while let Some(Ok(name)) = tasks.join_next().await {
        println!("{:>2} s: {name}", start.elapsed().as_secs());
    }
}
// ANCHOR_END: apart

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
    async fn the_clips_do_not_wait_for_the_film() {
        let start = Instant::now();
        encode_all(start).await;
        assert_eq!(start.elapsed(), Duration::from_secs(40));
    }
}
