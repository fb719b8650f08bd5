//! Count what each kind of limit allocates for a thousand photos.

// ANCHOR: three_limits
use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::{sync::Semaphore, task::JoinSet};

/// A task for each photo from the start; eight of them have a permit.
async fn permit_inside_task() {
    let permits = Arc::new(Semaphore::new(8));
    let mut tasks = JoinSet::new();
    for photo in 0..COUNT {
        let permits = Arc::clone(&permits);
        tasks.spawn(async move {
            let _permit = permits.acquire().await;
            render(photo).await
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// Eight tasks at a time.
async fn bounded_join_set() {
    let mut tasks = JoinSet::new();
    for photo in 0..COUNT {
        if tasks.len() >= 8 {
            tasks.join_next().await;
        }
        tasks.spawn(render(photo));
    }
    while tasks.join_next().await.is_some() {}
}

/// Eight futures at a time, and no task.
async fn buffer_unordered() {
    let mut thumbnails =
        stream::iter(0..COUNT).map(render).buffer_unordered(8);
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
    println!("{what:<20} {made:>6.1} {held:>16.1}");
}

fn main() -> io::Result<()> {
    println!("allocations per photo    all  held at a time");
    print("permit inside task", count(permit_inside_task())?);
    print("bounded JoinSet", count(bounded_join_set())?);
    print("buffer_unordered", count(buffer_unordered())?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_on_tasks_is_a_limit_on_memory() {
        let inside = count(permit_inside_task()).expect("a runtime");
        let bounded = count(bounded_join_set()).expect("a runtime");
        let buffered = count(buffer_unordered()).expect("a runtime");
        assert!((2000..2100).contains(&inside.count_total));
        assert!((2000..2100).contains(&bounded.count_total));
        assert!((1000..1100).contains(&buffered.count_total));
        assert!((2000..2100).contains(&inside.count_max));
        assert!(bounded.count_max < 50);
        assert!(buffered.count_max < 50);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_limit_lets_all_photos_through_on_many_threads() {
        // 1000 photos, eight at a time, would take 12.5 s for real.
        let wait = Duration::from_millis(1);
        let work = tokio::time::timeout(wait, buffer_unordered()).await;
        assert!(work.is_err());
    }
}
