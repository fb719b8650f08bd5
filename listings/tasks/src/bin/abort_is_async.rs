//! `abort` is only a request: wait, with a timeout, until the task ends.

use std::time::Duration;

use tokio::time::sleep;

// ANCHOR: stop
use tokio::{
    task::{JoinError, JoinHandle},
    time::timeout,
};

#[derive(Debug)]
enum End {
    /// It was dropped at an `.await`.
    Aborted,
    /// It returned before the abort reached it.
    Finished(u32),
    Panicked(JoinError),
    /// It didn't reach an `.await` in time, and is still running.
    StillRunning,
}

/// Aborts an export immediately. The returned future waits until the
/// export has ended, for at most a second. Dropping that future
/// doesn't undo the abort.
fn stop(export: JoinHandle<u32>) -> impl Future<Output = End> {
    export.abort();
    println!("asked to stop; has ended: {}", export.is_finished());
    async move {
        match timeout(Duration::from_secs(1), export).await {
            Ok(Ok(rows)) => End::Finished(rows),
            Ok(Err(error)) if error.is_cancelled() => End::Aborted,
            Ok(Err(error)) => End::Panicked(error),
            Err(_elapsed) => End::StillRunning,
        }
    }
}
// ANCHOR_END: stop

/// Removes the file when the export ends, in whatever way.
struct PartialFile;

impl Drop for PartialFile {
    fn drop(&mut self) {
        println!("the partial file is removed");
    }
}

async fn export(rows: u32) -> u32 {
    assert!(rows > 0, "an export of {rows} rows");
    let _file = PartialFile;
    for _ in 0..rows {
        sleep(Duration::from_millis(10)).await;
    }
    rows
}

fn print(end: End) {
    match end {
        End::Aborted => println!("aborted"),
        End::Finished(rows) => println!("finished: {rows} rows"),
        End::Panicked(error) => println!("{error}"),
        End::StillRunning => println!("it is still running"),
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let long = tokio::spawn(export(1000));
    sleep(Duration::from_millis(50)).await;
    print(stop(long).await);

    let short = tokio::spawn(export(1));
    sleep(Duration::from_millis(50)).await;
    print(stop(short).await);
}

#[cfg(test)]
mod tests {
    use hazards::{at_every_poll, no_task_left, within};

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn it_has_ended_only_when_it_was_awaited() {
        let task = tokio::spawn(export(1000));
        sleep(Duration::from_millis(50)).await;
        task.abort();
        assert!(!task.is_finished());
        assert!(task.await.expect_err("it is aborted").is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_task_that_has_ended_keeps_its_result() {
        let task = tokio::spawn(export(1));
        sleep(Duration::from_millis(50)).await;
        assert!(matches!(stop(task).await, End::Finished(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_task_is_reported() {
        let task = tokio::spawn(export(0));
        sleep(Duration::from_millis(50)).await;
        let End::Panicked(error) = stop(task).await else {
            panic!("it panicked");
        };
        assert!(error.to_string().contains("an export of 0 rows"));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_even_before_the_first_poll_aborts() {
        at_every_poll(async |cancel| {
            let task = tokio::spawn(export(1000));
            sleep(Duration::from_millis(50)).await;
            cancel.run(stop(task)).await;
            tokio::task::yield_now().await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn stop_of_a_task_that_never_yields_returns_in_time() {
        let (end, has_ended) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let busy = tokio::spawn(async move {
            begun.send(()).ok();
            has_ended.recv().ok();
            1
        });
        has_begun.await.expect("it begins");
        let start = std::time::Instant::now();
        assert!(matches!(stop(busy).await, End::StillRunning));
        assert!(start.elapsed() < Duration::from_secs(15));
        drop(end);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_the_end_is_what_really_happened() {
        for rows in 1..100 {
            let task = tokio::spawn(async move {
                for _ in 0..rows {
                    tokio::task::yield_now().await;
                }
                rows
            });
            match stop(task).await {
                End::Aborted => {}
                End::Finished(done) => assert_eq!(done, rows),
                other => panic!("{other:?}"),
            }
        }
    }
}
