//! Flush the log file as the last step of the shutdown.

// ANCHOR: open
use std::io::Write;

use tracing_appender::non_blocking::{
    ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard,
};

/// Keeps the log's thread alive. Dropping it writes the lines that are
/// queued, so it must be the last thing that `main` drops.
#[must_use = "when it's dropped, the log ends"]
struct LogThread {
    lost: ErrorCounter,
    _guard: WorkerGuard,
}

/// Writes lines on a thread of its own. If the file is too slow, lines
/// are lost and counted, and no task waits.
fn log_thread(
    file: impl Write + Send + 'static,
) -> (NonBlocking, LogThread) {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(10_000)
        .finish(file);
    let lost = writer.error_counter();
    let log = LogThread { lost, _guard: guard };
    (writer, log)
}

impl Drop for LogThread {
    fn drop(&mut self) {
        let lost = self.lost.dropped_lines();
        if lost > 0 {
            // The log was too slow for these, so use stderr. If that
            // fails, don't panic: a second panic aborts the process.
            let mut stderr = std::io::stderr();
            let _ = writeln!(stderr, "{lost} log lines were lost");
        }
    }
}
// ANCHOR_END: open

// ANCHOR: run
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process::ExitCode,
    time::Duration,
};

use tokio::runtime::Runtime;
use tracing::{error, info};

/// Runs the service until it ends, and shuts the runtime down. A panic
/// is resumed only after that, because dropping the runtime during a
/// panic would wait for blocking closures without a limit.
fn run(
    service: impl Future<Output = anyhow::Result<()>>,
    limit: Duration,
) -> io::Result<ExitCode> {
    let runtime = Runtime::new()?;
    let service = AssertUnwindSafe(|| runtime.block_on(service));
    let ended = catch_unwind(service);
    runtime.shutdown_timeout(limit);
    Ok(match ended.unwrap_or_else(|panic| resume_unwind(panic)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("the service failed: {error:#}");
            ExitCode::FAILURE
        }
    })
}
// ANCHOR_END: run

// ANCHOR: main
fn main() -> io::Result<ExitCode> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("orders.log");
    let (writer, log) = log_thread(std::fs::File::create(&path)?);
    subscriber(writer).init();

    let code = run(take_orders(), Duration::from_secs(5))?;
    drop(log); // The last step, after everything that logs.

    print!("{}", std::fs::read_to_string(path)?);
    Ok(code)
}
// ANCHOR_END: main

use tracing_subscriber::util::SubscriberInitExt;

fn subscriber(
    writer: NonBlocking,
) -> impl tracing::Subscriber + Send + Sync {
    tracing_subscriber::fmt()
        .with_writer(writer)
        .without_time() // The same output in each run.
        .with_ansi(false)
        .with_target(false)
        .finish()
}

/// Takes an order, and says so when its task is dropped.
async fn take_orders() -> anyhow::Result<()> {
    struct Worker;
    impl Drop for Worker {
        fn drop(&mut self) {
            info!("the worker is dropped");
        }
    }
    let (started, start) = tokio::sync::oneshot::channel();
    tokio::spawn(async {
        let _worker = Worker;
        info!("order 7 is placed");
        // Nobody waits for it only in a test.
        let _ = started.send(());
        std::future::pending::<()>().await;
    });
    start.await?;
    info!("the service stops");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// A file in memory.
    #[derive(Clone, Default)]
    struct File(Arc<Mutex<Vec<u8>>>);

    impl Write for File {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl File {
        fn text(&self) -> String {
            let bytes = self.0.lock().expect("no panic").clone();
            String::from_utf8(bytes).expect("text")
        }
    }

    /// Logs what `work` logs on this thread, as `main` does.
    fn logged(work: impl FnOnce()) -> String {
        let file = File::default();
        let (writer, log) = log_thread(file.clone());
        tracing::subscriber::with_default(subscriber(writer), work);
        drop(log);
        file.text()
    }

    #[test]
    fn stop_keeps_every_line() {
        let text = logged(|| {
            for order in 0..1_000 {
                info!("order {order} is placed");
            }
        });
        assert_eq!(text.lines().count(), 1_000);
    }

    #[test]
    fn edges_nothing_is_logged() {
        assert_eq!(logged(|| ()), "");
    }

    #[test]
    fn failure_is_in_the_log_and_in_the_exit_code() {
        let text = logged(|| {
            let fails = async {
                Err(anyhow::anyhow!("no tea").context("order 7"))
            };
            let code = run(fails, LIMIT).expect("a runtime");
            assert_eq!(code, ExitCode::FAILURE);
        });
        assert_eq!(text, "ERROR the service failed: order 7: no tea\n");
    }

    /// The guard is dropped while the panic unwinds the stack.
    #[test]
    fn panic_of_the_service_keeps_the_lines() {
        let file = File::default();
        let (writer, log) = log_thread(file.clone());
        let main = || {
            let _log = log;
            let logs = || {
                info!("order 7 is placed");
                let panics = async {
                    std::panic::resume_unwind(Box::new("no tea"))
                };
                run(panics, LIMIT)
            };
            tracing::subscriber::with_default(subscriber(writer), logs)
        };
        assert!(catch_unwind(AssertUnwindSafe(main)).is_err());
        assert_eq!(file.text(), " INFO order 7 is placed\n");
    }

    /// A blocking closure can't be stopped.
    #[test]
    fn panic_of_the_service_waits_only_until_the_limit() {
        let (release, blocked) = mpsc::channel::<()>();
        let (done, ended) = mpsc::channel();
        let main = std::thread::spawn(move || {
            let service = async {
                tokio::task::spawn_blocking(move || blocked.recv());
                std::panic::resume_unwind(Box::new("no tea"))
            };
            let run = || run(service, Duration::from_millis(10));
            let ended = catch_unwind(AssertUnwindSafe(run));
            done.send(ended.is_err()).expect("the test waits");
        });
        assert_eq!(ended.recv_timeout(LIMIT / 2), Ok(true));
        drop(release);
        main.join().expect("no panic");
    }

    /// A disk that hangs until the sender is dropped.
    struct Hangs(mpsc::Receiver<()>);

    impl Write for Hangs {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// No task waits for the disk; what doesn't fit is counted.
    #[test]
    fn overload_is_counted_and_no_caller_waits() {
        let (disk, hangs) = mpsc::channel();
        let (writer, log) = log_thread(Hangs(hangs));
        let lines = 20_000;
        tracing::subscriber::with_default(subscriber(writer), || {
            (0..lines).for_each(|order| info!("order {order}"));
        });
        // One line may be with the disk, and the others are queued.
        let lost = log.lost.dropped_lines();
        assert!((lines - 10_001..=lines - 10_000).contains(&lost));
        drop(disk);
        drop(log);
    }

    /// Runs itself in a process whose stderr is closed.
    #[test]
    fn failure_to_report_lost_lines_does_not_abort_a_panic() {
        if hazards::is_unread() {
            let (disk, hangs) = mpsc::channel();
            let (writer, log) = log_thread(Hangs(hangs));
            tracing::subscriber::with_default(
                subscriber(writer),
                || {
                    (0..20_000)
                        .for_each(|order| info!("order {order}"));
                },
            );
            assert!(log.lost.dropped_lines() > 0);
            drop(disk);
            let main = || {
                let _log = log;
                resume_unwind(Box::new("no tea"))
            };
            let ended: Result<(), _> =
                catch_unwind(AssertUnwindSafe(main));
            assert!(ended.is_err());
            return;
        }
        let test =
            "failure_to_report_lost_lines_does_not_abort_a_panic";
        hazards::succeeds_without_stderr(module_path!(), test);
    }

    /// At most for the second that tracing-appender waits.
    #[test]
    fn slow_disk_holds_the_exit_for_a_moment_only() {
        let (disk, hangs) = mpsc::channel::<()>();
        let (writer, log) = log_thread(Hangs(hangs));
        tracing::subscriber::with_default(subscriber(writer), || {
            info!("order 7 is placed");
        });
        let start = std::time::Instant::now();
        drop(log);
        assert!(start.elapsed() < Duration::from_secs(60));
        drop(disk);
    }

    #[test]
    fn threads_log_into_one_file() {
        let file = File::default();
        let (writer, log) = log_thread(file.clone());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let mut writer = writer.clone();
                scope.spawn(move || {
                    for _ in 0..1_000 {
                        writer.write_all(b"line\n").expect("queued");
                    }
                });
            }
        });
        drop(log);
        assert_eq!(file.text(), "line\n".repeat(4_000));
    }
}
