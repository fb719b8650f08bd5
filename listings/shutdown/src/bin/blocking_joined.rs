//! The program waits for its blocking tasks before the runtime goes.

use std::time::Duration;

use tokio::{runtime::Handle, time::sleep};

/// Writes a report, and tells of it; on a thread for blocking calls.
fn report(runtime: &Handle) {
    write_report();
    runtime.block_on(async { sleep(Duration::from_millis(1)).await });
}

/// Takes long: it ends when the program wants to end.
fn write_report() {
    std::thread::sleep(Duration::from_millis(200));
}

use std::io;

// ANCHOR: joined
/// Ends the program while a report is written. Returns what becomes of
/// the report's task.
fn end_during_a_report() -> io::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let handle = runtime.handle().clone();
    let report = runtime.spawn_blocking(move || report(&handle));
    // First what was begun, then the runtime under it.
    runtime.block_on(report)?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}
// ANCHOR_END: joined

fn main() -> io::Result<()> {
    end_during_a_report()?;
    println!("the report is written and told of");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_told_of() -> io::Result<()> {
        end_during_a_report()
    }
}
