//! Wrong: a worker waits for a task that only it could run.

use std::{sync::mpsc, thread, time::Duration};

use tokio::runtime::{Builder, Handle};

// ANCHOR: wrong
/// Wrong: waits for a task without giving the thread back. It works
/// as long as another worker is free to run that task.
fn price() -> u32 {
    let (sender, receiver) = mpsc::channel();
    Handle::current().spawn(async move { sender.send(1250).ok() });
    receiver.recv().expect("the task answers")
}
// ANCHOR_END: wrong

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
    is_done.recv_timeout(Duration::from_millis(500)).ok()
}

fn main() {
    match call(1) {
        Some(price) => println!("one worker: {price}"),
        None => println!("one worker: it hangs"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::task;

    use super::*;

    #[test]
    fn with_one_worker_it_hangs() {
        assert_eq!(call(1), None);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_worker_that_hands_over_does_not() {
        let called = task::spawn(async { task::block_in_place(price) });
        assert_eq!(called.await.ok(), Some(1250));
    }
}
