//! Wrong: a closure in the blocking pool waits for another closure.

use std::{sync::mpsc, time::Duration};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::spawn_blocking,
};

// ANCHOR: wrong
/// Wrong: the outer closure holds a thread of the pool while it waits
/// for a second thread. If such closures hold all threads, they wait
/// forever. This pool has only one thread.
fn import(runtime: &Runtime) -> u32 {
    let import = runtime.spawn_blocking(|| {
        let decoded = spawn_blocking(|| decode(21));
        Handle::current().block_on(decoded)
    });
    let decoded = runtime.block_on(import);
    decoded.expect("importing").expect("decoding")
}
// ANCHOR_END: wrong

/// Checks from another thread whether the call hangs.
fn watch(limit: Duration, work: fn(&Runtime) -> u32) -> Option<u32> {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .expect("a runtime");
        done.send(work(&runtime)).ok();
        runtime.shutdown_background();
    });
    is_done.recv_timeout(limit).ok()
}

fn decode(page: u32) -> u32 {
    page * 2
}

fn main() {
    match watch(Duration::from_millis(500), import) {
        Some(page) => println!("decoded: {page}"),
        None => println!("It hangs."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overload_one_thread_is_enough() {
        // It isn't: the inner closure never runs.
        assert_eq!(watch(Duration::from_millis(100), import), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn with_a_second_thread_it_runs() {
        let page = spawn_blocking(|| {
            Handle::current().block_on(spawn_blocking(|| decode(21)))
        });
        let page = page.await.expect("importing").expect("decoding");
        assert_eq!(page, 42);
    }
}
