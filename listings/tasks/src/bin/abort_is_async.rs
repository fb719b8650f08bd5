//! `abort` asks; the task ends a moment later.

use std::time::Duration;

use tokio::time::sleep;

// ANCHOR: stop
/// Stops an export, and returns when it has ended.
async fn stop(export: tokio::task::JoinHandle<u32>) {
    export.abort();
    println!("asked to stop; has ended: {}", export.is_finished());
    match export.await {
        Ok(rows) => println!("it was done before: {rows} rows"),
        Err(error) if error.is_cancelled() => println!("stopped"),
        Err(error) => println!("{error}"),
    }
}
// ANCHOR_END: stop

/// Removes the file when the export ends, however that is.
struct PartialFile;

impl Drop for PartialFile {
    fn drop(&mut self) {
        println!("the partial file is removed");
    }
}

async fn export(rows: u32) -> u32 {
    let _file = PartialFile;
    for _ in 0..rows {
        sleep(Duration::from_millis(10)).await;
    }
    rows
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let long = tokio::spawn(export(1000));
    sleep(Duration::from_millis(50)).await;
    stop(long).await;

    let short = tokio::spawn(export(1));
    sleep(Duration::from_millis(50)).await;
    stop(short).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_has_ended_only_when_it_was_awaited() {
        let task = tokio::spawn(export(1000));
        sleep(Duration::from_millis(50)).await;
        task.abort();
        assert!(!task.is_finished());
        assert!(task.await.expect_err("it is aborted").is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_has_ended_keeps_its_result() {
        let task = tokio::spawn(export(1));
        sleep(Duration::from_millis(50)).await;
        task.abort();
        assert_eq!(task.await.ok(), Some(1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_ends_on_many_threads() {
        let task = tokio::spawn(export(u32::MAX));
        task.abort();
        assert!(task.await.expect_err("it is aborted").is_cancelled());
    }
}
