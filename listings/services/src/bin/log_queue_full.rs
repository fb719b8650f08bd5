//! Log lines are dropped while the disk hangs and the queue is full.

use std::{
    io::{self, Write},
    sync::mpsc::{Receiver, Sender, channel},
};

use tracing_appender::non_blocking::NonBlockingBuilder;

/// A disk that accepts nothing until `ready` is closed.
struct BusyDisk {
    started: Sender<()>,
    ready: Receiver<()>,
    written: Sender<String>,
}

impl Write for BusyDisk {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Nobody listens to a disk after the first line.
        let _ = self.started.send(());
        let _ = self.ready.recv();
        let text = String::from_utf8_lossy(line).into_owned();
        let _ = self.written.send(text);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// ANCHOR: full
/// Returns the lines that were written, and how many were lost.
fn log_to_a_busy_disk() -> io::Result<(Vec<String>, usize)> {
    let (started, start) = channel();
    let (open, ready) = channel();
    let (written, lines) = channel();
    let disk = BusyDisk { started, ready, written };
    let (mut log, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(2)
        .finish(disk);

    log.write_all(b"order 1")?;
    start.recv().map_err(io::Error::other)?; // The disk hangs now.
    for order in 2..=9 {
        let line = format!("order {order}");
        log.write_all(line.as_bytes())?; // Always `Ok`.
    }
    let lost = log.error_counter().dropped_lines();

    drop(open); // The disk works again.
    drop(guard);
    Ok((lines.iter().collect(), lost))
}
// ANCHOR_END: full

fn main() -> io::Result<()> {
    let (lines, lost) = log_to_a_busy_disk()?;
    println!("written: {}", lines.join(", "));
    println!("lost: {lost}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overload_loses_lines_and_counts_them() -> io::Result<()> {
        let (lines, lost) = log_to_a_busy_disk()?;
        assert_eq!(lines, ["order 1", "order 2", "order 3"]);
        assert_eq!(lost, 6);
        Ok(())
    }
}
