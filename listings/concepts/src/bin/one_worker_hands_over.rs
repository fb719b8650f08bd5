//! Let the worker hand over its other tasks before it waits.

use std::{sync::mpsc, thread, time::Duration};

use tokio::{
    runtime::{Builder, Handle},
    task,
    time::{error::Elapsed, sleep, timeout},
};

// ANCHOR: price
/// Waits for an answer for at most a second. Before it waits, the
/// worker hands its other tasks and timers to another thread.
///
/// Panics on a current-thread runtime.
fn wait_for<T>(answer: impl Future<Output = T>) -> Result<T, Elapsed> {
    let limit = Duration::from_secs(1);
    let answer = async { timeout(limit, answer).await };
    task::block_in_place(|| Handle::current().block_on(answer))
}

fn price() -> Result<u32, Elapsed> {
    wait_for(ask_the_shop())
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
            assert_eq!(call.await.expect("no panic"), Ok(1250));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn silence_ends_after_a_second() {
        let start = std::time::Instant::now();
        let never = std::future::pending::<u32>();
        let called = task::spawn(async { wait_for(never) });
        assert!(called.await.expect("no panic").is_err());
        // A second, and more on a busy machine.
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn panic_of_the_answer_reaches_the_caller() {
        let broken = async { panic!("no address") };
        let called = task::spawn(async { wait_for::<()>(broken) });
        let error = called.await.expect_err("it panics").to_string();
        assert!(error.contains("no address"), "{error}");
    }

    #[tokio::test]
    async fn edges_it_panics_on_a_current_thread_runtime() {
        let called = task::spawn(async { price() }).await;
        assert!(called.is_err_and(|error| error.is_panic()));
    }
}
