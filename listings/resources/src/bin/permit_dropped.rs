//! Wrong: the permit is dropped in the statement that acquired it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Duration, sleep},
};

// ANCHOR: wrong
async fn upload(storage: &Storage, permits: &Semaphore) {
    // Wrong: `_` drops the permit before the upload starts.
    let _ = permits.acquire().await;
    storage.put().await;
}
// ANCHOR_END: wrong

/// Counts how many uploads are open at a time.
#[derive(Default)]
struct Storage {
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl Storage {
    async fn put(&self) {
        let open = 1 + self.open.fetch_add(1, Relaxed);
        self.most_open.fetch_max(open, Relaxed);
        sleep(Duration::from_millis(100)).await;
        self.open.fetch_sub(1, Relaxed);
    }
}

/// A hundred uploads under a limit of eight.
async fn upload_all() -> usize {
    let storage = Arc::new(Storage::default());
    let permits = Arc::new(Semaphore::new(8));
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let (storage, permits) =
            (Arc::clone(&storage), Arc::clone(&permits));
        tasks.spawn(async move { upload(&storage, &permits).await });
    }
    tasks.join_all().await;
    storage.most_open.load(Relaxed)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("open at a time: {}", upload_all().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_a_hundred_uploads() {
        assert_eq!(upload_all().await, 100);
    }
}
