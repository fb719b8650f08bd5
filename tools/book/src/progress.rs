//! Says what a long command is doing and how far it is: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// How often a log that nobody watches gets a line.
const EVERY: Duration = Duration::from_secs(5);

/// The width of the bar, in characters.
const WIDTH: usize = 24;

/// A task of known length. The bar disappears when this is dropped.
pub struct Progress {
    what: String,
    total: usize,
    done: usize,
    is_terminal: bool,
    last_line: Instant,
}

impl Progress {
    /// Starts a task and says so.
    pub fn start(what: impl Into<String>, total: usize) -> Self {
        let progress = Self {
            what: what.into(),
            total,
            done: 0,
            is_terminal: stderr().is_terminal(),
            last_line: Instant::now(),
        };
        if !progress.is_terminal {
            eprintln!("{}...", progress.what);
        }
        progress
    }

    /// Starts the next step.
    pub fn step(&mut self, name: &str) {
        if self.is_terminal {
            let line = format!("{} {} {name}", bar(self.done, self.total), self.what);
            let fitting: String = line.chars().take(79).collect();
            // Nothing is lost if a bar cannot be drawn.
            let _ = write!(stderr(), "\r\x1b[K{fitting}");
            let _ = stderr().flush();
        } else if self.last_line.elapsed() >= EVERY {
            eprintln!("  {} of {}: {name}", self.done, self.total);
            self.last_line = Instant::now();
        }
        self.done += 1;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn bar(done: usize, total: usize) -> String {
    let filled = done * WIDTH / total.max(1);
    format!("[{:<WIDTH$}] {done}/{total}", "=".repeat(filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_up() {
        assert_eq!(bar(0, 4), "[                        ] 0/4");
        assert_eq!(bar(1, 4), "[======                  ] 1/4");
        assert_eq!(bar(4, 4), "[========================] 4/4");
        assert_eq!(bar(0, 0), "[                        ] 0/0");
    }
}
