//! Wrong: a blocking task uses a runtime that is being shut down.

// ANCHOR: wrong
use std::time::Duration;

use tokio::{runtime::Handle, time::sleep};

/// Writes a report and announces it, on a blocking thread.
fn report(runtime: &Handle) {
    write_report();
    // Wrong: nothing waits for this closure, so the runtime may
    // already be shutting down.
    runtime.block_on(async { sleep(Duration::from_millis(1)).await });
}
// ANCHOR_END: wrong

/// Takes longer than the program runs.
fn write_report() {
    std::thread::sleep(Duration::from_millis(200));
}

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
};

/// Drops the runtime while a report is written. Returns how the
/// report's closure ended.
fn end_during_a_report() -> io::Result<Result<(), String>> {
    std::panic::set_hook(Box::new(|_| {}));
    let runtime = tokio::runtime::Runtime::new()?;
    let (tell, told) = mpsc::channel();
    let handle = runtime.handle().clone();
    runtime.spawn_blocking(move || {
        let ended = catch_unwind(AssertUnwindSafe(|| report(&handle)));
        let said = ended.map_err(|panic| {
            panic.downcast_ref::<String>().cloned().unwrap_or_default()
        });
        // The other side waits for it below.
        let _ = tell.send(said);
    });
    // As at the end of `main`: it waits for the blocking closure.
    drop(runtime);
    let said = told.recv().map_err(io::Error::other)?;
    let _ = std::panic::take_hook();
    Ok(said)
}

fn main() -> io::Result<()> {
    match end_during_a_report()? {
        Ok(()) => println!("the report is written and announced"),
        Err(message) => println!("panicked: {message}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_waits_for_the_report() -> io::Result<()> {
        // It panics.
        let message = end_during_a_report()?.expect_err("a panic");
        assert!(message.contains("is being shutdown"), "{message}");
        Ok(())
    }
}
