//! Wrong: a task blocks while it waits for a task that it spawned.

use std::{sync::mpsc, thread, time::Duration};

use tokio::runtime::{Builder, Handle};

// ANCHOR: wrong
/// Wrong: the new task is in this worker's LIFO slot, from which no
/// other worker can steal it, and this worker is blocked.
fn price() -> u32 {
    let (answer, answered) = mpsc::channel();
    Handle::current().spawn(async move { answer.send(1250).ok() });
    answered.recv().expect("the task answers")
}
// ANCHOR_END: wrong

/// Calls `price` on a runtime with that many workers. Returns `None`
/// if the call hangs.
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
    match call(4) {
        Some(price) => println!("4 workers, 3 of them idle: {price}"),
        None => println!("4 workers, 3 of them idle: it hangs"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::task;

    use super::*;

    #[test]
    fn threads_it_answers_on_any_number() {
        // It doesn't: it hangs.
        assert_eq!(call(1), None);
        assert_eq!(call(4), None);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_worker_that_hands_over_does_not() {
        let called = task::spawn(async { task::block_in_place(price) });
        assert_eq!(called.await.ok(), Some(1250));
    }
}
