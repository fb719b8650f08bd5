//! The task holds its owner weakly, and stops when the owner is dropped.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: cache_with_refresh
/// A cache with a task that refreshes it. The task holds the cache
/// only during a refresh, so dropping the cache stops the task.
///
/// If a refresh panics, the panic is counted, and the next refresh
/// runs as usual. Must be called inside a Tokio runtime.
fn cache_with_refresh() -> Arc<Cache> {
    let cache = Arc::new(Cache::default());
    let weak = Arc::downgrade(&cache);
    let task = tokio::spawn(async move {
        while let Some(cache) = weak.upgrade() {
            let refresh = AssertUnwindSafe(|| cache.refresh());
            if catch_unwind(refresh).is_err() {
                cache.panics.fetch_add(1, Ordering::Relaxed);
            }
            drop(cache);
            sleep(Duration::from_secs(600)).await;
        }
    });
    cache.keep(AbortOnDropHandle::new(task));
    cache
}
// ANCHOR_END: cache_with_refresh

/// A cache with a background task that refreshes it.
#[derive(Default)]
struct Cache {
    task: Mutex<Option<AbortOnDropHandle<()>>>,
    refreshed: Mutex<u32>,
    panics: AtomicU32,
    fails_at: AtomicU32,
}

impl Cache {
    fn refresh(&self) {
        let mut count = self
            .refreshed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        let is_bad = *count == self.fails_at.load(Ordering::Relaxed);
        assert!(!is_bad, "the source has no data");
    }

    fn keep(&self, handle: AbortOnDropHandle<()>) {
        let mut task =
            self.task.lock().unwrap_or_else(PoisonError::into_inner);
        *task = Some(handle);
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let cache = cache_with_refresh();
    let watched = Arc::downgrade(&cache);
    sleep(Duration::from_secs(900)).await;
    drop(cache);
    sleep(Duration::from_secs(3600)).await;
    match watched.upgrade() {
        Some(_) => println!("dropped an hour ago, and still there"),
        None => println!("dropped and freed"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::no_task_left;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn owner_gone_frees_the_cache() {
        let cache = cache_with_refresh();
        let watched = Arc::downgrade(&cache);
        sleep(Duration::from_secs(900)).await;
        drop(cache);
        assert!(watched.upgrade().is_none());
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_one_refresh_is_counted_and_not_the_last() {
        let cache = cache_with_refresh();
        cache.fails_at.store(2, Ordering::Relaxed);
        sleep(Duration::from_secs(3000)).await;
        assert_eq!(cache.panics.load(Ordering::Relaxed), 1);
        let refreshed = cache.refreshed.lock();
        let refreshed =
            refreshed.unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*refreshed, 5);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_free_it() {
        for _ in 0..100 {
            let cache = cache_with_refresh();
            let watched = Arc::downgrade(&cache);
            drop(cache);
            while watched.upgrade().is_some() {
                tokio::task::yield_now().await;
            }
        }
    }
}
