//! Wait for blocking closures before you shut the runtime down.

use std::time::Duration;

use tokio::{runtime::Handle, time::sleep};

/// Writes a report and announces it, on a blocking thread.
fn report(runtime: &Handle) {
    write_report();
    runtime.block_on(async { sleep(Duration::from_millis(1)).await });
}

/// Takes longer than the program runs.
fn write_report() {
    std::thread::sleep(Duration::from_millis(200));
}

// ANCHOR: joined
use std::io;

use tokio::{runtime::Runtime, time::timeout};

/// Runs a report, then shuts the runtime down. Returns an error if the
/// report panicked or took too long. In that case, its thread may still
/// be running, and ends with the process.
fn run(
    report: impl FnOnce(&Handle) + Send + 'static,
) -> io::Result<()> {
    let runtime = Runtime::new()?;
    let handle = runtime.handle().clone();
    let report = runtime.spawn_blocking(move || report(&handle));
    // Wait for the closure, then shut down the runtime that it uses.
    let reported =
        runtime.block_on(async { timeout(LIMIT, report).await });
    runtime.shutdown_timeout(Duration::from_millis(100));
    // `?` on a `JoinError` would lose the panic's message here.
    reported?.map_err(io::Error::other)
}

/// The time limit of a report.
const LIMIT: Duration = Duration::from_secs(3);
// ANCHOR_END: joined

fn main() -> io::Result<()> {
    run(report)?;
    println!("the report is written and announced");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{panic::resume_unwind, thread, time::Instant};

    use super::*;

    #[test]
    fn stop_waits_for_the_report() -> io::Result<()> {
        run(report)
    }

    #[test]
    fn silence_of_a_report_does_not_hold_the_exit() {
        let start = Instant::now();
        let hangs = |_: &Handle| thread::sleep(Duration::from_secs(20));
        let error = run(hangs).expect_err("it takes too long");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn panic_of_a_report_is_an_error() {
        let broken = |_: &Handle| resume_unwind(Box::new("no paper"));
        let error = run(broken).expect_err("it panics");
        assert!(error.to_string().contains("no paper"), "{error}");
    }

    #[test]
    fn slow_report_is_finished() -> io::Result<()> {
        run(|_| thread::sleep(Duration::from_millis(500)))
    }

    #[test]
    fn edges_a_report_that_does_nothing() -> io::Result<()> {
        run(|_| {})
    }

    #[test]
    fn again_and_again_it_ends() -> io::Result<()> {
        for _ in 0..20 {
            run(|runtime| runtime.block_on(tokio::task::yield_now()))?;
        }
        Ok(())
    }

    #[test]
    fn threads_end_their_runtimes_at_the_same_time() {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| run(report).expect("in time"));
            }
        });
    }
}
