//! The worker hands its other tasks over before it waits.

use std::{sync::mpsc, thread, time::Duration};

use tokio::{
    runtime::{Builder, Handle},
    task,
};

// ANCHOR: price
/// Waits for a task. The other tasks of this worker move to a new
/// thread first, and there the task runs.
fn price() -> u32 {
    let (sender, receiver) = mpsc::channel();
    Handle::current().spawn(async move { sender.send(1250).ok() });
    task::block_in_place(|| receiver.recv().expect("it answers"))
}
// ANCHOR_END: price

/// Calls it on a runtime with so many workers; `None` if it hangs.
fn call(workers: usize) -> Option<u32> {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
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
        Some(price) => println!("one worker: {price}"),
        None => println!("one worker: it hangs"),
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
