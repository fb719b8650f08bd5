//! The worker hands its other tasks over before it waits.

use std::{sync::mpsc, thread, time::Duration};

use tokio::{
    runtime::{Builder, Handle},
    task,
    time::sleep,
};

// ANCHOR: price
/// Waits for a future. Before that, what else this worker has to do,
/// tasks and timers, moves to a new thread.
fn price() -> u32 {
    task::block_in_place(|| Handle::current().block_on(ask_the_shop()))
}
// ANCHOR_END: price

/// Asks another server.
async fn ask_the_shop() -> u32 {
    sleep(Duration::from_millis(1)).await;
    1250
}

/// Calls it on a runtime with so many workers; `None` if it hangs.
fn call(workers: usize) -> Option<u32> {
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
    fn with_one_worker_it_answers() {
        assert_eq!(call(1), Some(1250));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn with_more_it_answers() {
        let called = task::spawn(async { price() });
        assert_eq!(called.await.ok(), Some(1250));
    }
}
