//! As many closures at a time as there are cores, however many come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{AcquireError, Semaphore},
    task::{self, JoinSet},
};

// ANCHOR: compress
/// Compresses a log, when one of the permits for computing is free.
///
/// The permit moves into the closure: if this future is dropped, the
/// closure goes on, and still counts.
async fn compress(log: Arc<Log>) -> Result<(), AcquireError> {
    let permits = Arc::clone(&log.permits);
    let permit = permits.acquire_owned().await?;
    let work = task::spawn_blocking(move || {
        let _permit = permit;
        log.compress();
    });
    work.await.expect("compressing does not panic");
    Ok(())
}
// ANCHOR_END: compress

/// What compresses, and counts how much of that it does at once.
struct Log {
    permits: Arc<Semaphore>,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Log {
    fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(limit)),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    fn compress(&self) {
        let running = 1 + self.running.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(running, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        self.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Compresses 40 logs, all called at once; at most how many ran?
async fn most_at_once(limit: usize) -> usize {
    let log = Log::new(limit);
    let mut calls: JoinSet<_> =
        (0..40).map(|_| compress(Arc::clone(&log))).collect();
    while let Some(joined) = calls.join_next().await {
        let called = joined.expect("a call does not panic");
        called.expect("the semaphore is never closed");
    }
    log.most.load(Ordering::SeqCst)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // In a service: std::thread::available_parallelism().
    let is_kept = most_at_once(2).await <= 2;
    println!("40 calls, never more than 2 at a time: {is_kept}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_than_the_limit_run() {
        assert!(most_at_once(3).await <= 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_more_than_the_limit_run_on_many_threads() {
        assert_eq!(most_at_once(1).await, 1);
    }
}
