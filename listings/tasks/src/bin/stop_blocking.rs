//! The closure checks a token to find out whether it should stop.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use tokio::{
    task::{self, JoinError},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

// ANCHOR: import
/// Imports rows until `stop` is canceled, and returns how many.
fn import(rows: &[u32], stop: &CancellationToken) -> usize {
    let mut imported = 0;
    while imported < rows.len() && !stop.is_cancelled() {
        import_row(rows[imported]);
        imported += 1;
    }
    imported
}

/// Imports rows, asks the import to stop when `limit` has passed, and
/// waits until it has stopped, which takes at most one more row. If all
/// threads of the pool are busy, it imports nothing and doesn't wait.
///
/// If this future is dropped, the import is asked to stop as well.
///
/// # Errors
///
/// The import panicked, or the runtime is shutting down.
async fn import_in_time(
    rows: Vec<u32>,
    limit: Duration,
) -> Result<usize, JoinError> {
    let stop = CancellationToken::new();
    let _stops_when_dropped = stop.clone().drop_guard();
    let started = Arc::new(AtomicBool::new(false));
    let (starts, seen) = (started.clone(), stop.clone());
    let mut task = task::spawn_blocking(move || {
        starts.store(true, Relaxed);
        import(&rows, &seen)
    });
    if let Ok(joined) = timeout(limit, &mut task).await {
        return joined;
    }
    stop.cancel();
    if !started.load(Relaxed) {
        return Ok(0); // When it starts, it checks the token first.
    }
    task.await
}
// ANCHOR_END: import

fn import_row(row: u32) {
    assert_ne!(row, 13, "row {row} is damaged");
    thread::sleep(Duration::from_millis(1));
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let limit = Duration::from_millis(20);
    let imported = import_in_time(vec![1; 100_000], limit).await?;
    println!("stopped before the last row: {}", imported < 100_000);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use hazards::at_every_poll;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn stop_is_between_two_rows() {
        let start = Instant::now();
        let limit = Duration::from_millis(5);
        let imported = import_in_time(vec![1; 1_000_000], limit).await;
        assert!(imported.expect("no panic") < 1_000_000);
        assert!(start.elapsed() < LONG);
    }

    #[tokio::test]
    async fn cancel_stops_the_closure() {
        at_every_poll(async |cancel| {
            let limit = Duration::from_millis(5);
            let work = import_in_time(vec![1; 1_000_000], limit);
            cancel.run(work).await;
            // The end of the runtime waits for the closure: if it ran
            // on, this test would take a quarter of an hour.
        })
        .await;
    }

    #[tokio::test]
    async fn panic_of_the_import_is_returned() {
        for rows in [vec![13], vec![1, 13, 1], vec![1, 1, 13]] {
            let error = import_in_time(rows, LONG).await;
            let error = error.expect_err("it panics").to_string();
            assert!(error.contains("row 13 is damaged"), "{error}");
        }
    }

    #[tokio::test]
    async fn edges_no_row_and_no_time() {
        let none = import_in_time(Vec::new(), LONG).await;
        assert_eq!(none.expect("no panic"), 0);
        let rows = vec![1; 1000];
        let some = import_in_time(rows, Duration::ZERO).await;
        assert!(some.expect("no panic") < 1000);
    }

    #[test]
    fn overload_of_the_pool_does_not_hold_the_caller() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .enable_time()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let (release, busy) = std::sync::mpsc::channel::<()>();
            let other =
                task::spawn_blocking(move || busy.recv().is_ok());
            let import =
                import_in_time(vec![13], Duration::from_millis(20));
            let imported = hazards::within(LONG, import).await;
            assert_eq!(imported.expect("no panic"), 0);
            // Row 13 would panic, if it were imported after that.
            drop(release);
            assert!(!other.await.expect("no panic"));
            let next = import_in_time(vec![1], LONG).await;
            assert_eq!(next.expect("no panic"), 1);
        });
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_all_rows_are_imported() {
        let imported = import_in_time(vec![1; 20], LONG).await;
        assert_eq!(imported.expect("no panic"), 20);
    }
}
