//! Three stages: the slowest one sets the pace for all of them.

// ANCHOR: stages
use tokio::{
    sync::mpsc::{self, error::SendError},
    time::{Duration, Instant, sleep},
};

type Lost = SendError<Photo>; // The photo that wasn't accepted.

/// Takes photos from one queue, processes them, and sends them to the
/// next queue, until the first queue is closed and empty.
async fn stage(
    takes: Duration,
    mut from: mpsc::Receiver<Photo>,
    to: mpsc::Sender<Photo>,
) -> Result<(), Lost> {
    while let Some(photo) = from.recv().await {
        sleep(takes).await;
        to.send(photo).await?;
    }
    Ok(())
}

/// Photos come in, are resized, and stored. How old was each then?
async fn run(capacity: usize) -> Result<Vec<Duration>, Lost> {
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
    let (taken, resized, stored, ages) =
        tokio::join!(take_photos(camera), resize, store, count);
    taken.and(resized).and(stored)?;
    Ok(ages)
}
// ANCHOR_END: stages

#[derive(Debug)]
struct Photo {
    taken_at: Instant,
}

/// Takes a photo every 20 ms, or as soon as there is room for it.
async fn take_photos(camera: mpsc::Sender<Photo>) -> Result<(), Lost> {
    for _ in 0..100 {
        let room = camera.reserve().await;
        let photo = Photo { taken_at: Instant::now() };
        match room {
            Ok(room) => room.send(photo),
            Err(_) => return Err(SendError(photo)),
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Lost> {
    for capacity in [1, 8, 64] {
        let start = Instant::now();
        let oldest = run(capacity).await?.into_iter().max();
        println!(
            "capacity {capacity:>2}: {} s in all, a photo waits up to {} ms",
            start.elapsed().as_secs(),
            oldest.unwrap_or_default().as_millis()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_stages_make_photos_older_in_larger_queues() {
        let start = Instant::now();
        let short = run(1).await.expect("nothing fails");
        let took = start.elapsed();
        let start = Instant::now();
        let long = run(64).await.expect("nothing fails");
        assert_eq!(short.len(), 100);
        assert!(took.abs_diff(start.elapsed()) < took / 10);
        assert!(long.iter().max() > short.iter().max());
    }

    fn photo() -> Photo {
        Photo { taken_at: Instant::now() }
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_is_an_error_with_the_photo() {
        let (camera, taken) = mpsc::channel(8);
        let (resize, resized) = mpsc::channel(8);
        drop(resized);
        camera.send(photo()).await.expect("there is room");
        let ended = stage(Duration::ZERO, taken, resize).await;
        assert!(ended.is_err());
        // And the stage before it finds out.
        let sent = within(HOUR, take_photos(camera)).await;
        assert!(sent.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_last_stage_ends_all() {
        let (camera, taken) = mpsc::channel(1);
        let (resize, resized) = mpsc::channel(1);
        let (store, mut stored) = mpsc::channel(1);
        let count = async move {
            for _ in 0..3 {
                stored.recv().await;
            }
        };
        let all = async {
            tokio::join!(
                take_photos(camera),
                stage(Duration::ZERO, taken, resize),
                stage(Duration::ZERO, resized, store),
                count
            )
        };
        let (taken, resized, stored, ()) = within(HOUR, all).await;
        assert!(taken.is_err() && resized.is_err() && stored.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn stop_of_the_camera_empties_the_queues() {
        let (camera, taken) = mpsc::channel(8);
        let (resize, mut resized) = mpsc::channel(8);
        for _ in 0..8 {
            camera.send(photo()).await.expect("there is room");
        }
        drop(camera);
        let takes = Duration::from_secs(1);
        let ended = within(HOUR, stage(takes, taken, resize)).await;
        assert!(ended.is_ok());
        let mut count = 0;
        while resized.recv().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 8);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_ends_the_stages_beside_it() {
        at_every_poll(async |cancel| {
            let (camera, taken) = mpsc::channel(2);
            let (resize, mut resized) = mpsc::channel(2);
            for _ in 0..2 {
                camera.send(photo()).await.expect("there is room");
            }
            let takes = Duration::from_millis(10);
            let stage = stage(takes, taken, resize);
            let read = async {
                let mut count = 0;
                while resized.recv().await.is_some() {
                    count += 1;
                }
                count
            };
            let stop = async {
                tokio::time::sleep(HOUR).await;
                drop(camera);
            };
            let (ended, count, ()) =
                tokio::join!(cancel.run(stage), read, stop);
            assert!(count == 2 || ended.is_none());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_photo() {
        let (camera, taken) = mpsc::channel(1);
        let (resize, mut resized) = mpsc::channel(1);
        drop(camera);
        assert!(stage(Duration::ZERO, taken, resize).await.is_ok());
        assert!(resized.recv().await.is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_store_every_photo() {
        let (camera, taken) = mpsc::channel(4);
        let (resize, resized) = mpsc::channel(4);
        let (store, mut stored) = mpsc::channel(4);
        let mut stages = tokio::task::JoinSet::new();
        stages.spawn(stage(Duration::ZERO, taken, resize));
        stages.spawn(stage(Duration::ZERO, resized, store));
        stages.spawn(async move {
            for _ in 0..1000 {
                camera.send(photo()).await?;
            }
            Ok(())
        });
        let mut count = 0;
        while stored.recv().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 1000);
        for ended in stages.join_all().await {
            assert!(ended.is_ok());
        }
    }
}
