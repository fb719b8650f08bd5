//! A thread that notices when the runtime does not answer.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use tokio::runtime::Handle;

// ANCHOR: watchdog
/// Asks the runtime for an answer, again and again, on a thread that
/// no task can block. Reports when it answers late, until `end`.
fn watch(
    runtime: &Handle,
    limit: Duration,
    end: &mpsc::Receiver<()>,
    mut report: impl FnMut(&str),
) {
    loop {
        let (answer, answered) = mpsc::channel();
        runtime.spawn(async move {
            // Where nobody listens, it came too late.
            let _late = answer.send(());
        });
        if answered.recv_timeout(limit)
            == Err(RecvTimeoutError::Timeout)
        {
            let alive = runtime.metrics().num_alive_tasks();
            report(&format!("no answer; {alive} tasks are alive"));
            // One report for each time that it hangs.
            let _answered = answered.recv();
            report("it answers again");
        }
        // Between two questions, or at the end.
        if end.recv_timeout(limit) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}
// ANCHOR_END: watchdog

/// A task that blocks its thread, until it was noticed.
async fn block_until(noticed: mpsc::Receiver<()>) {
    let _noticed = noticed.recv();
}

/// Blocks the only thread of a runtime; returns what was reported.
async fn run(limit: Duration) -> Vec<String> {
    let runtime = Handle::current();
    let (end, until) = mpsc::channel();
    let (noticed, is_noticed) = mpsc::channel();
    let watchdog = thread::spawn(move || {
        let mut reports = Vec::new();
        watch(&runtime, limit, &until, |line| {
            reports.push(line.to_owned());
            // Where the task has ended, nobody is blocked.
            let _ended = noticed.send(());
        });
        reports
    });
    let blocking = tokio::spawn(block_until(is_noticed));
    let ended = blocking.await;
    // Long enough to be asked once more.
    tokio::time::sleep(limit / 4).await;
    drop(end);
    let reports = tokio::task::spawn_blocking(|| watchdog.join());
    match (ended, reports.await) {
        (Ok(()), Ok(Ok(reports))) => reports,
        _ => vec!["a thread or a task has panicked".to_owned()],
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for line in run(Duration::from_millis(300)).await {
        println!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_reports_once_for_each_time() {
        let reports = run(Duration::from_millis(300)).await;
        let [hangs, again] = &reports[..] else {
            panic!("two reports: {reports:?}")
        };
        assert!(hangs.starts_with("no answer"), "{hangs}");
        assert_eq!(again, "it answers again");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_runtime_that_answers_is_not_reported() {
        let runtime = Handle::current();
        let (end, until) = mpsc::channel();
        drop(end);
        let limit = Duration::from_secs(10);
        let quiet = tokio::task::spawn_blocking(move || {
            let mut count = 0;
            watch(&runtime, limit, &until, |_| count += 1);
            count
        });
        assert_eq!(quiet.await.ok(), Some(0));
    }
}
