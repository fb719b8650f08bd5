//! Cancellation in the middle of a write, a full disk, and a crash.

use super::solution::Log;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

exam::tests! {
    current lines_are_kept,
    current a_torn_last_line_is_removed,
    plain an_append_returns_after_its_write,
    plain a_canceled_append_leaves_no_torn_line,
    current a_full_disk_leaves_no_torn_line,
    threads concurrent_appends_stay_whole,
}

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("orders.log");
    (folder, path)
}

fn text(path: &PathBuf) -> String {
    std::fs::read_to_string(path).expect("the file is text")
}

async fn lines_are_kept() {
    let (_folder, path) = file();
    let log = Log::open(&path).await.expect("a new file");
    for line in ["order 1", "", "Jörg"] {
        log.append(line).await.expect("there's space");
    }
    drop(log);
    let log = Log::open(&path).await.expect("the file exists");
    log.append("order 4").await.expect("there's space");
    drop(log);
    assert_eq!(text(&path), "order 1\n\nJörg\norder 4\n");
}

async fn a_torn_last_line_is_removed() {
    let torn: [(&[u8], &str); 4] = [
        (b"order 1\nord", "order 1\n"),
        // Between the two bytes of an umlaut.
        (b"order 1\nJ\xc3", "order 1\n"),
        (b"ord", ""),
        (b"order 1\n\n", "order 1\n\n"),
    ];
    for (before, whole) in torn {
        let (_folder, path) = file();
        std::fs::write(&path, before).expect("there's space");
        let log = Log::open(&path).await.expect("a torn line is no error");
        log.append("order 2").await.expect("there's space");
        let expected = format!("{whole}order 2\n");
        let before = before.escape_ascii();
        assert_eq!(text(&path), expected, "opened after a crash: {before}");
    }
}

/// Runs the test on a runtime with one thread for blocking calls.
fn with_one_blocking_thread(test: impl Future<Output = ()>) {
    let mut builder = Builder::new_current_thread();
    let builder = builder.enable_all().max_blocking_threads(1);
    let runtime = builder.build().expect("a runtime can be started");
    runtime.block_on(async {
        let ended = timeout(Duration::from_secs(10), test).await;
        ended.expect("it hangs: still waiting after ten seconds");
    });
    runtime.shutdown_background();
}

/// Keeps that thread busy until what this returns is dropped.
fn busy() -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    spawn_blocking(move || released.recv_timeout(Duration::from_secs(5)));
    release
}

fn an_append_returns_after_its_write() {
    with_one_blocking_thread(async {
        let (_folder, path) = file();
        let log = Log::open(&path).await.expect("a new file");
        let busy = busy();
        let mut append = Box::pin(log.append("order 1"));
        let appended = match timeout(Duration::from_millis(100), &mut append).await {
            Ok(appended) => appended,
            Err(_) => {
                drop(busy);
                append.await
            }
        };
        appended.expect("there's space");
        assert_eq!(
            text(&path),
            "order 1\n",
            "`append` returned, and its line isn't in the file"
        );
    });
}

/// Polls the future until it has been pending `polls` times, and drops it. No blocking call ends during a poll.
async fn cancel_after<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = polls;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let _busy = busy();
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn a_canceled_append_leaves_no_torn_line() {
    with_one_blocking_thread(async {
        let (_folder, path) = file();
        let log = Log::open(&path).await.expect("a new file");
        let long = "x".repeat(3 * 1024 * 1024);
        for polls in 0..20 {
            let appended = cancel_after(log.append(&long), polls).await;
            log.append("next").await.expect("there's space");
            let text = text(&path);
            let mut lines: Vec<_> = text.split('\n').collect();
            // Another thread may still be writing the canceled line.
            let rest = lines.pop().expect("never empty");
            assert!(long.starts_with(rest), "the file ends with a foreign line");
            for line in &lines {
                let length = line.len();
                assert!(
                    *line == "next" || *line == long,
                    "canceled after {polls} polls: a line of {length} bytes isn't whole"
                );
            }
            let next = lines.iter().filter(|it| **it == "next").count();
            assert_eq!(next, polls + 1, "a line is missing or there twice");
            if let Some(appended) = appended {
                appended.expect("there's space");
                assert!(lines.contains(&&*long), "the line is missing");
                return;
            }
        }
    });
}

/// A limit for the size of a file stands for a disk that is full in the middle of a line.
async fn a_full_disk_leaves_no_torn_line() {
    let kind = SignalKind::from_raw(Signal::SIGXFSZ as i32);
    // Its default is the end of the process.
    let _caught = signal(kind).expect("it can be caught");
    let (_folder, path) = file();
    let log = Log::open(&path).await.expect("a new file");
    log.append("order 1").await.expect("there's space");
    let (soft, hard) = getrlimit(Resource::RLIMIT_FSIZE).expect("a limit");
    let size = std::fs::metadata(&path).expect("it exists").len();
    setrlimit(Resource::RLIMIT_FSIZE, size + 3, hard).expect("a lower limit");
    for _ in 0..2 {
        let appended = log.append("order 2").await;
        assert!(
            appended.is_err(),
            "the disk is full, and `append` says that the line is written"
        );
    }
    setrlimit(Resource::RLIMIT_FSIZE, soft, hard).expect("the former limit");
    let appended = log.append("order 3").await;
    appended.expect("there's space again");
    assert_eq!(
        text(&path),
        "order 1\norder 3\n",
        "after an append that failed"
    );
}

async fn concurrent_appends_stay_whole() {
    let (_folder, path) = file();
    let log = Log::open(&path).await.expect("a new file");
    let log = Arc::new(log);
    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let log = log.clone();
        tasks.spawn(async move {
            for order in 0..5 {
                let line = format!("{number} {order}");
                log.append(&line).await.expect("there's space");
            }
        });
    }
    tasks.join_all().await;
    let text = text(&path);
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    for number in 0..8 {
        let own = format!("{number} ");
        let own = lines.iter().filter(|it| it.starts_with(&own));
        let expected = (0..5).map(|order| format!("{number} {order}"));
        assert!(own.eq(&expected.collect::<Vec<_>>()), "lines of one task");
    }
    lines.dedup();
    assert_eq!(lines.len(), 40, "lines are missing or there twice");
}
