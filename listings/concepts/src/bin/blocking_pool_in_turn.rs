//! A task waits for closures; no closure does.

use std::{sync::mpsc, time::Duration};

use tokio::{
    runtime::{Builder, Runtime},
    task::spawn_blocking,
};

// ANCHOR: import
/// A task waits without a thread. Each closure does its part, and
/// gives its thread back.
fn import(runtime: &Runtime) -> u32 {
    runtime.block_on(async {
        let read = spawn_blocking(|| 21).await.expect("reading");
        spawn_blocking(move || decode(read)).await.expect("decoding")
    })
}
// ANCHOR_END: import

/// Hangs, or not: told after a while by a thread of its own.
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
    match watch(Duration::from_secs(60), import) {
        Some(page) => println!("decoded: {page}"),
        None => println!("It hangs."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_is_enough() {
        assert_eq!(watch(Duration::from_secs(60), import), Some(42));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_works_on_many_threads() {
        let read = spawn_blocking(|| 21).await.expect("reading");
        let page = spawn_blocking(move || decode(read)).await;
        assert_eq!(page.expect("decoding"), 42);
    }
}
