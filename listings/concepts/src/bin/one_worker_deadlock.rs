//! Wrong: a worker waits for a timer that only this worker could drive.

use std::{sync::mpsc, thread, time::Duration};

use tokio::{runtime::Builder, time::sleep};

// ANCHOR: wrong
/// Wrong: this blocks the worker while it waits. It works only as
/// long as another worker is free to drive the timer.
fn price() -> u32 {
    futures::executor::block_on(ask_the_shop())
}

/// Asks another server.
async fn ask_the_shop() -> u32 {
    sleep(Duration::from_millis(1)).await;
    1250
}
// ANCHOR_END: wrong

/// Calls `price` on a runtime with that many workers. Returns `None`
/// if the call hangs for that long.
fn call(workers: usize, hangs: Duration) -> Option<u32> {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_time()
            .build()
            .expect("a runtime");
        let called = runtime.spawn(async { price() });
        if let Ok(price) = runtime.block_on(called) {
            done.send(price).ok();
        }
        runtime.shutdown_background();
    });
    is_done.recv_timeout(hangs).ok()
}

fn main() {
    for (workers, hangs) in [(4, 60_000), (1, 500)] {
        match call(workers, Duration::from_millis(hangs)) {
            Some(price) => println!("{workers} workers: {price}"),
            None => println!("{workers} worker:  it hangs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task;

    use super::*;

    #[test]
    fn threads_it_answers_on_one_and_on_many() {
        // With one worker, it hangs.
        assert_eq!(call(1, Duration::from_millis(500)), None);
        assert_eq!(call(2, Duration::from_secs(60)), Some(1250));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_worker_that_hands_over_does_not() {
        let called = task::spawn(async { task::block_in_place(price) });
        assert_eq!(called.await.ok(), Some(1250));
    }
}
