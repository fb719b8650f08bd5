//! Wrong: a task keeps its own owner alive.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: wrong
/// Wrong: the cache owns the task, and the task owns the cache. The
/// reference count never drops to zero, so neither is freed.
fn cache_with_refresh() -> Arc<Cache> {
    let cache = Arc::new(Cache::default());
    let owned = Arc::clone(&cache);
    let task = tokio::spawn(async move {
        loop {
            owned.refresh();
            sleep(Duration::from_secs(600)).await;
        }
    });
    cache.keep(AbortOnDropHandle::new(task));
    cache
}
// ANCHOR_END: wrong

/// A cache with a background task that refreshes it.
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
        None => println!("dropped and freed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn owner_gone_frees_the_cache() {
        let cache = cache_with_refresh();
        let watched = Arc::downgrade(&cache);
        sleep(Duration::from_secs(900)).await;
        drop(cache);
        sleep(Duration::from_secs(3600)).await;
        // The mistake: it is never freed.
        let cache = watched.upgrade().expect("it is still there");
        // Ends the cycle, so that the test ends cleanly.
        cache.task.lock().expect("it is not poisoned").take();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_task_holds_it_on_many_threads() {
        let cache = cache_with_refresh();
        assert_eq!(Arc::strong_count(&cache), 2);
    }
}
