//! Let the worker hand over its other tasks before it waits.

use std::{io, sync::mpsc, thread, time::Duration};

use tokio::{
    runtime::{Builder, Handle},
    sync::Semaphore,
    task,
    time::{sleep, timeout},
};

// ANCHOR: price
/// How many calls may wait at the same time. While a call waits, the
/// worker's other tasks and timers need a thread of the blocking pool.
/// If all 512 threads waited here, none could run those tasks.
static PLACES: Semaphore = Semaphore::const_new(100);

/// Waits for an answer for at most a second, or returns an error if too
/// many calls are waiting. Before it waits, the worker hands its other
/// tasks and timers to another thread.
///
/// Panics on a current-thread runtime, and if the runtime shuts down. A
/// call that starts after that may hang: use `shutdown_timeout`.
fn wait_for<T>(
    places: &Semaphore,
    answer: impl Future<Output = T>,
) -> io::Result<T> {
    let Ok(_place) = places.try_acquire() else {
        return Err(io::ErrorKind::ResourceBusy.into());
    };
    let limit = Duration::from_secs(1);
    let answer = async { timeout(limit, answer).await };
    Ok(task::block_in_place(|| Handle::current().block_on(answer))?)
}

fn price() -> io::Result<u32> {
    wait_for(&PLACES, ask_the_shop())
}
// ANCHOR_END: price

/// Asks another server.
async fn ask_the_shop() -> u32 {
    sleep(Duration::from_millis(1)).await;
    1250
}

/// Calls `price` on a runtime with that many workers. Returns `None`
/// if the call hangs.
fn call(workers: usize) -> Option<u32> {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_time()
            .build()
            .expect("a runtime");
        let called = runtime.spawn(async { price() });
        if let Ok(Ok(price)) = runtime.block_on(called) {
            done.send(price).ok();
        }
        runtime.shutdown_background();
    });
    is_done.recv_timeout(Duration::from_secs(60)).ok()
}

fn main() {
    match call(1) {
        Some(price) => println!("1 worker: {price}"),
        None => println!("1 worker: it hangs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_it_answers_on_one_and_on_many() {
        for workers in [1, 2, 4] {
            assert_eq!(call(workers), Some(1250));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn overload_every_task_hands_over() {
        let calls: Vec<_> =
            (0..50).map(|_| task::spawn(async { price() })).collect();
        for call in calls {
            let price = call.await.expect("no panic");
            assert_eq!(price.ok(), Some(1250));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn silence_ends_after_a_second() {
        let start = std::time::Instant::now();
        let never = std::future::pending::<u32>();
        let called = task::spawn(async { wait_for(&PLACES, never) });
        let error = called.await.expect("no panic").expect_err("never");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // A second, and more on a busy machine.
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn panic_of_the_answer_reaches_the_caller() {
        let broken = async { panic!("no address") };
        let call = async { wait_for::<()>(&PLACES, broken) };
        let called = task::spawn(call);
        let error = called.await.expect_err("it panics").to_string();
        assert!(error.contains("no address"), "{error}");
    }

    #[tokio::test]
    async fn edges_it_panics_on_a_current_thread_runtime() {
        let called = task::spawn(async { price() }).await;
        assert!(called.is_err_and(|error| error.is_panic()));
    }

    fn one_worker() -> tokio::runtime::Runtime {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).enable_time().build().expect("one")
    }

    /// More calls than the blocking pool has threads.
    #[test]
    fn overload_of_calls_leaves_a_thread_for_the_timers() {
        static TWO: Semaphore = Semaphore::const_new(2);
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(1).max_blocking_threads(3);
            let runtime = builder.enable_time().build().expect("one");
            let calls: Vec<_> = (0..2 * 3 + 1)
                .map(|_| {
                    let never = std::future::pending::<()>();
                    runtime.spawn(async { wait_for(&TWO, never) })
                })
                .collect();
            let mut kinds = Vec::new();
            for call in calls {
                let called = runtime.block_on(call).expect("no panic");
                kinds.push(called.expect_err("never").kind());
            }
            done.send(kinds).ok();
            runtime.shutdown_background();
        });
        let limit = Duration::from_secs(20);
        let kinds = is_done.recv_timeout(limit).expect("no deadlock");
        let count = |wanted| {
            kinds.iter().filter(|kind| **kind == wanted).count()
        };
        assert_eq!(count(io::ErrorKind::TimedOut), 2);
        assert_eq!(count(io::ErrorKind::ResourceBusy), 5);
    }

    /// The same, with as many calls as `PLACES` allows.
    #[test]
    fn overload_beyond_the_pool_is_refused() {
        static OURS: Semaphore = Semaphore::const_new(100);
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            let runtime = one_worker();
            let calls: Vec<_> = (0..2 * 512 + 1)
                .map(|_| {
                    let never = std::future::pending::<()>();
                    runtime.spawn(async { wait_for(&OURS, never) })
                })
                .collect();
            for call in calls {
                let called = runtime.block_on(call).expect("no panic");
                assert!(called.is_err());
            }
            done.send(()).ok();
            runtime.shutdown_background();
        });
        let limit = Duration::from_secs(20);
        assert_eq!(is_done.recv_timeout(limit), Ok(()));
        assert_eq!(OURS.available_permits(), 100);
    }

    /// The runtime shuts down before a call waits, or while it does.
    #[test]
    fn stop_within_a_time_limit() {
        static TWO: Semaphore = Semaphore::const_new(2);
        for starts_late in [false, true] {
            let runtime = one_worker();
            let (begun, begins) = mpsc::channel();
            runtime.spawn(async move {
                begun.send(()).ok();
                if starts_late {
                    thread::sleep(Duration::from_millis(200));
                }
                wait_for(&TWO, std::future::pending::<()>())
            });
            begins.recv().expect("it has begun");
            thread::sleep(Duration::from_millis(100));
            let start = std::time::Instant::now();
            runtime.shutdown_timeout(Duration::from_secs(2));
            assert!(start.elapsed() < Duration::from_secs(20));
        }
    }
}
