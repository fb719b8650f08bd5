//! A task waits for the closures, and no closure waits for another.

use std::{sync::mpsc, time::Duration};

use tokio::{
    runtime::Builder,
    task::{JoinError, spawn_blocking},
};

// ANCHOR: import
/// Each closure does its part, and then its thread is free again.
/// The task needs no thread while it waits.
///
/// If this is canceled, the current closure still finishes, but the
/// next one isn't started.
async fn import() -> Result<u32, JoinError> {
    let page = spawn_blocking(read).await?;
    spawn_blocking(move || decode(page)).await
}
// ANCHOR_END: import

fn read() -> u32 {
    21
}

/// Checks from another thread whether the call hangs.
fn watch(limit: Duration) -> Option<u32> {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .expect("a runtime");
        if let Ok(page) = runtime.block_on(import()) {
            done.send(page).ok();
        }
        runtime.shutdown_background();
    });
    is_done.recv_timeout(limit).ok()
}

fn decode(page: u32) -> u32 {
    page * 2
}

fn main() {
    match watch(Duration::from_secs(60)) {
        Some(page) => println!("decoded: {page}"),
        None => println!("It hangs."),
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[test]
    fn overload_one_thread_is_enough() {
        assert_eq!(watch(Duration::from_secs(60)), Some(42));
        // And for ten imports, which all wait for it.
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .expect("a runtime");
        let imports = (0..10).map(|_| import());
        for page in runtime.block_on(join_all(imports)) {
            assert_eq!(page.ok(), Some(42));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_import_at_the_same_time() {
        let imports: Vec<_> =
            (0..100).map(|_| tokio::spawn(import())).collect();
        for page in imports {
            let page = page.await.expect("it does not panic");
            assert_eq!(page.ok(), Some(42));
        }
    }

    #[tokio::test]
    async fn cancel_leaves_a_pool_that_works() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(import()).await;
            assert_eq!(import().await.ok(), Some(42));
        })
        .await;
    }
}
