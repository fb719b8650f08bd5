//! The task looks whether its owner is still there.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: cache_with_refresh
/// A cache with a task that refreshes it. The task holds the cache
/// only while it works on it; drop the cache, and the task ends.
fn cache_with_refresh() -> Arc<Cache> {
    let cache = Arc::new(Cache::default());
    let weak = Arc::downgrade(&cache);
    let task = tokio::spawn(async move {
        while let Some(cache) = weak.upgrade() {
            cache.refresh();
            drop(cache);
            sleep(Duration::from_secs(600)).await;
        }
    });
    cache.keep(AbortOnDropHandle::new(task));
    cache
}
// ANCHOR_END: cache_with_refresh

/// A cache that is refreshed by a task of its own.
#[derive(Default)]
struct Cache {
    task: Mutex<Option<AbortOnDropHandle<()>>>,
    refreshed: Mutex<u32>,
}

impl Cache {
    fn refresh(&self) {
        let mut count = self
            .refreshed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *count += 1;
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
        None => println!("dropped, and gone"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_freed_with_its_last_user() {
        let cache = cache_with_refresh();
        let watched = Arc::downgrade(&cache);
        sleep(Duration::from_secs(900)).await;
        drop(cache);
        assert!(watched.upgrade().is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_is_freed_on_many_threads() {
        let cache = cache_with_refresh();
        let watched = Arc::downgrade(&cache);
        drop(cache);
        while watched.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    }
}
