//! Drop a `FuturesUnordered` or a `TaskTracker`: what happens to its work?

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

// ANCHOR: drop
const HALF: Duration = Duration::from_millis(50);

/// Its futures run in the caller's task, and are dropped with it.
async fn drop_futures(finished: &Arc<AtomicU32>) {
    let mut exports: FuturesUnordered<_> =
        (0..3).map(|_| export(Arc::clone(finished))).collect();
    // After 50 ms, the set is dropped. None of its futures has finished.
    let _ = timeout(HALF, exports.next()).await;
}

/// It only waits for tasks. When it's dropped, they keep running.
async fn drop_handles(finished: &Arc<AtomicU32>) {
    let mut exports: FuturesUnordered<_> = (0..3)
        .map(|_| tokio::spawn(export(Arc::clone(finished))))
        .collect();
    let _ = timeout(HALF, exports.next()).await;
}

/// A tracker counts tasks, and keeps neither their results nor the tasks.
async fn drop_tracker(finished: &Arc<AtomicU32>) {
    let exports = TaskTracker::new();
    for _ in 0..3 {
        exports.spawn(export(Arc::clone(finished)));
    }
    exports.close();
    let _ = timeout(HALF, exports.wait()).await;
}
// ANCHOR_END: drop

async fn export(finished: Arc<AtomicU32>) {
    sleep(Duration::from_millis(100)).await;
    finished.fetch_add(1, Relaxed);
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let of_futures = Arc::default();
    drop_futures(&of_futures).await;
    let of_handles = Arc::default();
    drop_handles(&of_handles).await;
    let tracked = Arc::default();
    drop_tracker(&tracked).await;
    sleep(Duration::from_secs(1)).await;
    println!(
        "FuturesUnordered of futures: {} finished",
        of_futures.load(Relaxed)
    );
    println!(
        "FuturesUnordered of handles: {} finished",
        of_handles.load(Relaxed)
    );
    println!(
        "TaskTracker:                 {} finished",
        tracked.load(Relaxed)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_the_futures_stop() {
        for (expected, dropped) in [(0, 0), (3, 1), (3, 2)] {
            let finished = Arc::default();
            match dropped {
                0 => drop_futures(&finished).await,
                1 => drop_handles(&finished).await,
                _ => drop_tracker(&finished).await,
            }
            sleep(Duration::from_secs(1)).await;
            assert_eq!(finished.load(Relaxed), expected);
        }
    }
}
