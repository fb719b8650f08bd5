//! Run as many closures at a time as there are cores.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

// ANCHOR: cores
use tokio::{
    sync::Semaphore,
    task::{self, JoinError},
};

/// The permits for CPU-bound work. Create one for the process, and
/// clone it: all clones share the same permits.
#[derive(Clone)]
struct Cores(Arc<Semaphore>);

impl Cores {
    fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count.max(1))))
    }

    /// Runs a closure on the blocking pool when a permit is free.
    ///
    /// The permit moves into the closure. If this future is dropped
    /// after that, the closure still runs, and keeps its permit.
    ///
    /// # Errors
    ///
    /// The closure panicked, or the runtime is shutting down.
    async fn run<T: Send + 'static>(
        &self,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let permit = Arc::clone(&self.0).acquire_owned().await;
        let permit = permit.expect("it is never closed");
        let work = task::spawn_blocking(move || {
            let _permit = permit;
            compute()
        });
        work.await
    }
}
// ANCHOR_END: cores

/// Counts how many logs are compressed at the same time.
#[derive(Default)]
struct Count {
    running: AtomicUsize,
    most: AtomicUsize,
}

fn compress(log: u32, count: &Count) -> u32 {
    let running = 1 + count.running.fetch_add(1, Ordering::SeqCst);
    count.most.fetch_max(running, Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(5));
    count.running.fetch_sub(1, Ordering::SeqCst);
    assert_ne!(log, 13, "log {log} is damaged");
    log
}

/// Compresses 40 logs in calls that are made at the same time.
async fn compress_all(
    cores: &Cores,
    count: &Arc<Count>,
) -> Vec<Result<u32, JoinError>> {
    let calls = (100..140).map(|log| {
        let count = Arc::clone(count);
        cores.run(move || compress(log, &count))
    });
    futures::future::join_all(calls).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // In a service: std::thread::available_parallelism().
    let cores = Cores::new(2);
    let count = Arc::default();
    let outcomes = compress_all(&cores, &count).await;
    let done = outcomes.iter().filter(|it| it.is_ok()).count();
    let is_kept = count.most.load(Ordering::SeqCst) <= 2;
    println!("{done} logs, never more than 2 at a time: {is_kept}");
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use hazards::at_every_poll;

    use super::*;

    #[tokio::test]
    async fn overload_waits_for_a_permit() {
        let (cores, count) = (Cores::new(3), Arc::default());
        let outcomes = compress_all(&cores, &count).await;
        assert!(outcomes.iter().all(Result::is_ok));
        assert!(count.most.load(Ordering::SeqCst) <= 3);
    }

    #[tokio::test]
    async fn panic_costs_one_log_and_no_permit() {
        let (cores, count) = (Cores::new(2), Arc::<Count>::default());
        for log in [12, 13, 13, 13, 14] {
            let count = Arc::clone(&count);
            let done = cores.run(move || compress(log, &count)).await;
            assert_eq!(done.is_err(), log == 13);
            if let Err(error) = done {
                assert!(error.to_string().contains("13 is damaged"));
            }
        }
        assert_eq!(cores.0.available_permits(), 2);
    }

    #[tokio::test]
    async fn cancel_brings_the_permit_back_after_the_closure() {
        at_every_poll(async |cancel| {
            let (cores, count) = (Cores::new(1), Arc::default());
            let shared = Arc::clone(&count);
            cancel.run(cores.run(move || compress(1, &shared))).await;
            let next = compress_all(&cores, &count).await;
            assert!(next.iter().all(Result::is_ok));
            assert_eq!(count.most.load(Ordering::SeqCst), 1);
        })
        .await;
    }

    /// The closure that runs keeps its permit until it returns.
    #[test]
    fn stop_of_the_runtime_costs_no_permit() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let cores = Cores::new(1);
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let (start, starts) = std::sync::mpsc::channel();
        let runs = cores.clone();
        let runs = runtime.spawn(async move {
            let wait =
                move || start.send(()).is_ok() && ends.recv().is_ok();
            runs.run(wait).await
        });
        runtime.block_on(task::yield_now());
        starts.recv().expect("it runs");
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        let ended = runs.now_or_never().expect("it is aborted");
        assert!(ended.is_err_and(|error| error.is_cancelled()));
        assert_eq!(cores.0.available_permits(), 0);
        end.send(()).expect("it still runs");
        while cores.0.available_permits() == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _entered = handle.enter();
        let refused = cores.run(|| 7).now_or_never();
        let refused = refused.expect("it doesn't wait");
        assert!(refused.is_err_and(|error| error.is_cancelled()));
        assert_eq!(cores.0.available_permits(), 1);
    }

    #[tokio::test]
    async fn edges_no_core_is_one() {
        let done = Cores::new(0).run(|| 7).await;
        assert_eq!(done.expect("no panic"), 7);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_clones_share_the_permits() {
        let (cores, count) = (Cores::new(2), Arc::default());
        let work = |cores: Cores, count| {
            tokio::spawn(
                async move { compress_all(&cores, &count).await },
            )
        };
        let one = work(cores.clone(), Arc::clone(&count));
        let other = work(cores.clone(), Arc::clone(&count));
        let (one, other) = tokio::join!(one, other);
        assert_eq!(one.expect("no panic").len(), 40);
        assert_eq!(other.expect("no panic").len(), 40);
        assert!(count.most.load(Ordering::SeqCst) <= 2);
    }
}
