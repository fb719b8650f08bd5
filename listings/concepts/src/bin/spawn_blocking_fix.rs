//! Run blocking calls on a thread of the blocking pool.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    task::{JoinError, spawn_blocking, yield_now},
    time::interval,
};
use tokio_util::sync::CancellationToken;

// ANCHOR: import
/// Imports all rows on a thread of the blocking pool.
///
/// If this is canceled, the import stops after the current row: the
/// closure can't be aborted, so it checks a token before every row.
///
/// Fails if the import panics, or if the runtime shuts down before
/// the closure starts.
async fn import(rows: u32) -> Result<(), JoinError> {
    let stop = CancellationToken::new();
    let _stop_when_dropped = stop.clone().drop_guard();
    spawn_blocking(move || {
        for row in 0..rows {
            if stop.is_cancelled() {
                return;
            }
            import_row(row);
        }
    })
    .await
}
// ANCHOR_END: import

/// Imports a row, which takes 20 ms. Panics on the very last row.
fn import_row(row: u32) {
    thread::sleep(Duration::from_millis(20));
    assert!(row != u32::MAX, "row {row} is broken");
}

/// Runs every 10 ms, like a health check, and counts its runs.
fn heartbeat() -> Arc<AtomicU32> {
    let beats = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&beats);
    tokio::spawn(async move {
        let mut due = interval(Duration::from_millis(10));
        loop {
            due.tick().await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    beats
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let beats = heartbeat();
    yield_now().await;
    let before = beats.load(Ordering::Relaxed);
    // Until there was a beat: on a busy machine, it takes longer.
    while beats.load(Ordering::Relaxed) == before {
        import(5).await?;
    }
    println!("100 ms of import, and the heartbeat keeps running");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Instant};

    use tokio::{runtime::Builder, task::JoinSet};

    use super::*;

    #[tokio::test]
    async fn slow_rows_let_others_run_meanwhile() {
        let beats = heartbeat();
        yield_now().await;
        let before = beats.load(Ordering::Relaxed);
        while beats.load(Ordering::Relaxed) == before {
            import(1).await.expect("it does not panic");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn threads_others_run_meanwhile_on_a_worker() {
        let beats = heartbeat();
        while beats.load(Ordering::Relaxed) == 0 {
            import(1).await.expect("it does not panic");
        }
    }

    #[test]
    fn cancel_stops_it_after_a_row() {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let start = Instant::now();
        runtime.block_on(hazards::at_every_poll(async |cancel| {
            // An hour of rows, unless it is stopped.
            let rows = if cancel.polls() < 2 { 180_000 } else { 1 };
            cancel.run(import(rows)).await;
        }));
        // Dropping the runtime waits for its closures.
        drop(runtime);
        assert!(start.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn panic_of_a_row_is_reported() {
        let broken = spawn_blocking(|| import_row(u32::MAX)).await;
        let error = broken.expect_err("it panics").to_string();
        assert!(error.contains("row 4294967295 is broken"), "{error}");
    }

    #[test]
    fn overload_waits_for_a_thread_of_the_pool() {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(2)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let imports: JoinSet<_> =
                (0..5).map(|_| import(1)).collect();
            let done = imports.join_all().await;
            assert!(done.iter().all(Result::is_ok));
        });
    }

    #[test]
    fn owner_gone_before_it_starts_is_no_hang() {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .expect("a runtime");
        let (open, opened) = mpsc::channel::<()>();
        runtime.spawn_blocking(move || opened.recv());
        let mut queued = Box::pin(import(1));
        runtime.block_on(async {
            assert!(futures::poll!(queued.as_mut()).is_pending());
        });
        // A closure that hasn't started may run, or be dropped.
        let (ended, has_ended) = mpsc::channel();
        thread::spawn(move || {
            drop(runtime);
            ended.send(()).ok();
        });
        thread::sleep(Duration::from_millis(50));
        drop(open);
        has_ended.recv().expect("the runtime ends");
        if let Err(error) = futures::executor::block_on(queued) {
            assert!(error.is_cancelled());
        }
    }

    #[test]
    fn stop_of_the_runtime_waits_for_one_row() {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let start = Instant::now();
        // An hour of rows.
        runtime.spawn(import(180_000));
        thread::sleep(Duration::from_millis(50));
        drop(runtime);
        assert!(start.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn edges_no_rows() {
        assert!(import(0).await.is_ok());
    }
}
