//! Count the allocations of each kind of limit for a thousand photos.

// ANCHOR: three_limits
use std::{ops::Range, sync::Arc};

use futures::{StreamExt, stream};
use tokio::{sync::Semaphore, task::JoinSet};

/// All tasks exist from the start, and eight of them have a permit.
async fn permit_inside_task(photos: Range<u32>) {
    let permits = Arc::new(Semaphore::new(8));
    let mut tasks = JoinSet::new();
    for photo in photos {
        let permits = Arc::clone(&permits);
        tasks.spawn(async move {
            let permit = permits.acquire().await;
            let _permit = permit.expect("it is never closed");
            render(photo).await
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// At most eight tasks at a time.
async fn bounded_join_set(photos: Range<u32>) {
    let mut tasks = JoinSet::new();
    for photo in photos {
        if tasks.len() >= 8 {
            tasks.join_next().await;
        }
        tasks.spawn(render(photo));
    }
    while tasks.join_next().await.is_some() {}
}

/// At most eight futures at a time, and no task.
async fn buffer_unordered(photos: Range<u32>) {
    let mut thumbnails =
        stream::iter(photos).map(render).buffer_unordered(8);
    while thumbnails.next().await.is_some() {}
}
// ANCHOR_END: three_limits

use std::{io, time::Duration};

use allocation_counter::{AllocationInfo, measure};
use tokio::{runtime::Builder, time::sleep};

const COUNT: u32 = 1000;

async fn render(photo: u32) -> u32 {
    sleep(Duration::from_millis(100)).await;
    photo
}

/// What a new runtime, with a paused clock, allocates to run `work`.
fn count(work: impl Future<Output = ()>) -> io::Result<AllocationInfo> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    Ok(measure(|| runtime.block_on(work)))
}

fn print(what: &str, counted: AllocationInfo) {
    let made = counted.count_total as f64 / f64::from(COUNT);
    let held = counted.count_max as f64 / f64::from(COUNT);
    println!("{what:<22} {made:>4.1} {held:>16.1}");
}

fn main() -> io::Result<()> {
    println!("allocations per photo  made   held at a time");
    print("permit inside task", count(permit_inside_task(0..COUNT))?);
    print("bounded JoinSet", count(bounded_join_set(0..COUNT))?);
    print("buffer_unordered", count(buffer_unordered(0..COUNT))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn a_limit_on_tasks_is_a_limit_on_memory() {
        let inside =
            count(permit_inside_task(0..COUNT)).expect("a runtime");
        let bounded =
            count(bounded_join_set(0..COUNT)).expect("a runtime");
        let buffered =
            count(buffer_unordered(0..COUNT)).expect("a runtime");
        assert!((2000..2100).contains(&inside.count_total));
        assert!((2000..2100).contains(&bounded.count_total));
        assert!((1000..1100).contains(&buffered.count_total));
        assert!((2000..2100).contains(&inside.count_max));
        assert!(bounded.count_max < 50);
        assert!(buffered.count_max < 50);
    }

    #[tokio::test(start_paused = true)]
    async fn each_limit_leaves_room_for_eight() {
        let start = Instant::now();
        permit_inside_task(0..16).await;
        assert_eq!(start.elapsed(), Duration::from_millis(200));
        bounded_join_set(0..16).await;
        assert_eq!(start.elapsed(), Duration::from_millis(400));
        buffer_unordered(0..16).await;
        assert_eq!(start.elapsed(), Duration::from_millis(600));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sixteen_photos_take_two_rounds_on_many_threads() {
        let start = Instant::now();
        tokio::join!(
            permit_inside_task(0..16),
            bounded_join_set(0..16),
            buffer_unordered(0..16),
        );
        assert!(start.elapsed() >= Duration::from_millis(200));
    }
}
