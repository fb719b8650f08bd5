//! Three stages: the slowest one sets the pace of all.

// ANCHOR: stages
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep},
};

/// Takes from one queue, works, and hands on to the next. Ends when
/// there is nothing more to take, or nobody who takes it.
async fn stage(
    takes: Duration,
    mut from: mpsc::Receiver<Photo>,
    to: mpsc::Sender<Photo>,
) {
    while let Some(photo) = from.recv().await {
        sleep(takes).await;
        if to.send(photo).await.is_err() {
            return;
        }
    }
}

/// Photos come in, are resized, and stored. How long was each there?
async fn run(capacity: usize) -> Vec<Duration> {
    let (camera, taken) = mpsc::channel(capacity);
    let (resize, resized) = mpsc::channel(capacity);
    let (store, mut stored) = mpsc::channel(capacity);
    let resize = stage(Duration::from_millis(10), taken, resize);
    let store = stage(Duration::from_millis(100), resized, store);
    let count = async {
        let mut ages = Vec::new();
        while let Some(photo) = stored.recv().await {
            ages.push(photo.taken_at.elapsed());
        }
        ages
    };
    let ((), (), (), ages) =
        tokio::join!(take_photos(camera), resize, store, count);
    ages
}
// ANCHOR_END: stages

struct Photo {
    taken_at: Instant,
}

/// Takes a photo each 20 ms, where there is room for it.
async fn take_photos(camera: mpsc::Sender<Photo>) {
    for _ in 0..100 {
        let Ok(room) = camera.reserve().await else { return };
        room.send(Photo { taken_at: Instant::now() });
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for capacity in [1, 8, 64] {
        let start = Instant::now();
        let oldest = run(capacity).await.into_iter().max();
        println!(
            "capacity {capacity:>2}: {} s in all, a photo waits up to {} ms",
            start.elapsed().as_secs(),
            oldest.unwrap_or_default().as_millis()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn larger_queues_make_photos_older_and_nothing_quicker() {
        let start = Instant::now();
        let short = run(1).await;
        let took = start.elapsed();
        let start = Instant::now();
        let long = run(64).await;
        assert_eq!(short.len(), 100);
        assert!(took.abs_diff(start.elapsed()) < took / 10);
        assert!(long.iter().max() > short.iter().max());
    }
}
