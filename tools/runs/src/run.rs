//! Runs a listing, within limits.

use anyhow::{Context, Result};
use process_control::{ChildExt, Control};
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How much a listing may take before it is stopped.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Wall-clock time from start to exit. A listing in virtual time takes milliseconds.
    pub time: Duration,
    /// Bytes on standard output, and as many again on standard error.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            output: 64 * 1024,
        }
    }
}

/// What a listing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// What the book holds of a run: standard output with `\n` line ends, and a last line
    /// `[exit status: N]` where that is not 0.
    pub transcript: String,
    /// Standard error, for the message of a failed test. It is not compared: a panic's message, for
    /// one, holds the number of a thread.
    pub stderr: String,
}

/// Why there is no transcript to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misbehaved {
    /// It did not end in time.
    NeverEnded(Duration),
    /// It printed more than it may.
    PrintedTooMuch(usize),
    /// It printed nothing at all.
    PrintedNothing {
        /// What it said on standard error.
        stderr: String,
    },
    /// It printed bytes that are not UTF-8.
    PrintedBytes,
}

impl fmt::Display for Misbehaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverEnded(limit) => write!(
                f,
                "did not end within {} s and was stopped; let it wait in virtual time \
                 (`start_paused = true`), and end",
                limit.as_secs_f32()
            ),
            Self::PrintedTooMuch(limit) => write!(
                f,
                "printed more than {limit} bytes and was stopped; a page can show a few lines"
            ),
            Self::PrintedNothing { stderr } if stderr.trim().is_empty() => {
                write!(f, "printed nothing; let it print what it shows")
            }
            Self::PrintedNothing { stderr } => {
                write!(
                    f,
                    "printed nothing on standard output; on standard error it said:\n{stderr}"
                )
            }
            Self::PrintedBytes => write!(f, "printed bytes that are not UTF-8"),
        }
    }
}

/// Runs an executable in a folder and returns what it did.
///
/// # Errors
///
/// The outer error: the executable cannot be started. The inner one: it ran, but not as a listing
/// should.
pub fn run(executable: &Path, folder: &Path, limits: Limits) -> Result<Result<Ran, Misbehaved>> {
    let too_much = Arc::new(AtomicUsize::new(0));
    let child = Command::new(executable)
        .current_dir(folder)
        // The listing's own words, not a backtrace through the machine that happens to run it.
        .env("RUST_BACKTRACE", "0")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", executable.display()))?;
    let output = child
        .controlled_with_output()
        .time_limit(limits.time)
        .terminate_for_timeout()
        .stdout_filter(bounded(limits.output, &too_much))
        .stderr_filter(bounded(limits.output, &too_much))
        .wait();
    if too_much.load(Ordering::Relaxed) > 0 {
        return Ok(Err(Misbehaved::PrintedTooMuch(limits.output)));
    }
    let Some(output) = output.with_context(|| format!("cannot run {}", executable.display()))?
    else {
        return Ok(Err(Misbehaved::NeverEnded(limits.time)));
    };
    let stderr = String::from_utf8_lossy(&output.stderr).replace("\r\n", "\n");
    let Ok(stdout) = String::from_utf8(output.stdout) else {
        return Ok(Err(Misbehaved::PrintedBytes));
    };
    let mut transcript = stdout.replace("\r\n", "\n");
    if transcript.is_empty() {
        return Ok(Err(Misbehaved::PrintedNothing { stderr }));
    }
    if !output.status.success() {
        if !transcript.ends_with('\n') {
            transcript.push('\n');
        }
        transcript.push_str(&format!("[{}]\n", output.status));
    }
    Ok(Ok(Ran { transcript, stderr }))
}

/// A filter that lets so many bytes pass and then ends the reading, upon which the writer's next
/// print fails; a writer that does not care is stopped by the time limit.
fn bounded(
    limit: usize,
    exceeded: &Arc<AtomicUsize>,
) -> impl FnMut(&[u8]) -> io::Result<bool> + Send + 'static {
    let exceeded = Arc::clone(exceeded);
    let mut seen = 0;
    move |bytes| {
        seen += bytes.len();
        if seen > limit {
            exceeded.fetch_add(1, Ordering::Relaxed);
            return Err(io::Error::other("the output limit"));
        }
        Ok(true)
    }
}
