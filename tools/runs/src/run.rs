//! Runs a listing, within limits.

use crate::build::Program;
use crate::files::file_elsewhere;
use anyhow::{Context, Result};
use model::output::{DATABASE_URL, PGBOUNCER_URL};
use process_control::{ChildExt, Control, ExitStatus};
use std::env;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

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
    /// Standard error with `\n` line ends, as it was said.
    pub stderr: String,
}

impl Ran {
    /// What a run says on standard error, without what is another thing in each run: the number of a
    /// thread, and the advice to ask for a backtrace. A panic in a task that nobody awaits shows only here.
    pub fn errors(&self) -> String {
        let lines = self.stderr.trim_start().lines();
        let lines = lines.filter(|line| !line.starts_with("note: run with `RUST_BACKTRACE=1`"));
        lines
            .map(|line| format!("{}\n", portable_panic(line)))
            .collect()
    }
}

/// `thread 'main' (123) panicked at place:` without the number, and with a place in a crate as on every machine.
fn portable_panic(line: &str) -> String {
    let parts = line
        .strip_prefix("thread '")
        .and_then(|rest| rest.split_once("' ("))
        .and_then(|(name, rest)| Some((name, rest.split_once(") panicked at ")?)));
    match parts {
        Some((name, (number, place))) if number.bytes().all(|b| b.is_ascii_digit()) => {
            let place = place.replace('\\', "/");
            let file = file_elsewhere(place.trim_end_matches(':'));
            let place = file.map_or(place, |file| format!("{file}:"));
            format!("thread '{name}' panicked at {place}")
        }
        _ => line.to_owned(),
    }
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
        /// How it ended, where that was no success: `exit status: 101`.
        ending: Option<String>,
        /// What it said on standard error.
        stderr: String,
    },
    /// It printed bytes that are not UTF-8.
    PrintedBytes {
        /// The line of its output with the first of them, from 1.
        line: usize,
    },
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
            Self::PrintedNothing { ending, stderr } => {
                write!(f, "printed nothing")?;
                match ending {
                    Some(ending) => write!(f, " and ended with {ending}")?,
                    None => write!(f, "; let it print what it shows")?,
                }
                if !stderr.trim().is_empty() {
                    write!(f, "; on standard error it said:\n{stderr}")?;
                }
                Ok(())
            }
            Self::PrintedBytes { line } => write!(
                f,
                "printed bytes that are not UTF-8, in line {line} of its output; let it print text"
            ),
        }
    }
}

/// Runs a program in a folder and returns what it did. It sees neither `DATABASE_URL` nor `PGBOUNCER_URL`.
///
/// # Errors
///
/// The outer error: the program cannot be started. The inner one: it ran, but not as a listing
/// should.
pub fn run(program: &Program, folder: &Path, limits: Limits) -> Result<Result<Ran, Misbehaved>> {
    run_with(program, folder, limits, &[])
}

/// The same with the PostgreSQL server that `DATABASE_URL` names; without that variable, nothing runs.
///
/// # Errors
///
/// As [`run`].
pub fn run_on_postgresql(
    program: &Program,
    folder: &Path,
    limits: Limits,
) -> Result<Option<Result<Ran, Misbehaved>>> {
    let Some(address) = env::var_os(DATABASE_URL) else {
        return Ok(None);
    };
    let pgbouncer = env::var_os(PGBOUNCER_URL);
    let mut environment = vec![(DATABASE_URL, Path::new(&address))];
    environment.extend(pgbouncer.iter().map(|it| (PGBOUNCER_URL, Path::new(it))));
    run_with(program, folder, limits, &environment).map(Some)
}

/// The same, with variables in its environment.
pub(crate) fn run_with(
    program: &Program,
    folder: &Path,
    limits: Limits,
    environment: &[(&str, &Path)],
) -> Result<Result<Ran, Misbehaved>> {
    let executable = &program.executable;
    let mut child = Command::new(executable)
        .args(&program.argument)
        .current_dir(folder)
        .env_remove(DATABASE_URL)
        .env_remove(PGBOUNCER_URL)
        .envs(environment.iter().copied())
        // The listing's own words, not a backtrace through the machine that happens to run it.
        .env("RUST_BACKTRACE", "0")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", executable.display()))?;
    let outcome = watch(&mut child, limits)
        .with_context(|| format!("cannot run {}", executable.display()))?;
    let (status, stdout, stderr) = match outcome {
        Ok(ended) => ended,
        Err(misbehaved) => {
            // Where it is gone already, there is nothing to stop.
            let _ = child.kill();
            child.wait().context("cannot stop a listing")?;
            return Ok(Err(misbehaved));
        }
    };
    let stderr = String::from_utf8_lossy(&stderr).replace("\r\n", "\n");
    let stdout = match String::from_utf8(stdout) {
        Ok(text) => text.replace("\r\n", "\n"),
        Err(error) => {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
            return Ok(Err(Misbehaved::PrintedBytes { line }));
        }
    };
    let ending = ending(status);
    if stdout.is_empty() {
        return Ok(Err(Misbehaved::PrintedNothing { ending, stderr }));
    }
    let mut transcript = stdout;
    if let Some(ending) = ending {
        if !transcript.ends_with('\n') {
            transcript.push('\n');
        }
        transcript.push_str(&format!("[{ending}]\n"));
    }
    Ok(Ok(Ran { transcript, stderr }))
}

/// How a listing ended and what it printed, on standard output and on standard error.
type Ended = (ExitStatus, Vec<u8>, Vec<u8>);

/// Waits for a listing's end, within its limits.
fn watch(child: &mut Child, limits: Limits) -> io::Result<Result<Ended, Misbehaved>> {
    let deadline = Instant::now() + limits.time;
    let left = || deadline.saturating_duration_since(Instant::now());
    let never_ended = Misbehaved::NeverEnded(limits.time);
    let (sender, pipes) = mpsc::channel();
    if let Some(pipe) = child.stdout.take() {
        read(Stream::Out, pipe, limits.output, &sender);
    }
    if let Some(pipe) = child.stderr.take() {
        read(Stream::Err, pipe, limits.output, &sender);
    }
    drop(sender);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        let (stream, bytes) = match pipes.recv_timeout(left()) {
            Ok(read) => read,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => return Ok(Err(never_ended)),
        };
        if bytes.len() > limits.output {
            return Ok(Err(Misbehaved::PrintedTooMuch(limits.output)));
        }
        match stream {
            Stream::Out => stdout = bytes,
            Stream::Err => stderr = bytes,
        }
    }
    let status = child.controlled().time_limit(left()).wait()?;
    Ok(status
        .map(|status| (status, stdout, stderr))
        .ok_or(never_ended))
}

enum Stream {
    Out,
    Err,
}

/// Reads a pipe to its end, or to one byte more than may come, whichever is sooner.
fn read(
    stream: Stream,
    pipe: impl Read + Send + 'static,
    limit: usize,
    to: &Sender<(Stream, Vec<u8>)>,
) {
    let to = to.clone();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A pipe that breaks has ended.
        let _ = pipe.take(limit as u64 + 1).read_to_end(&mut bytes);
        // If nobody listens anymore, the listing was stopped.
        let _ = to.send((stream, bytes));
    });
}

/// The words for an end that is no success, the same on every system.
fn ending(status: ExitStatus) -> Option<String> {
    if status.success() {
        return None;
    }
    Some(match status.code() {
        Some(code) => format!("exit status: {code}"),
        None => status.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_left_out() {
        let ran = Ran {
            transcript: String::new(),
            stderr: "\nthread 'main' (1437) panicked at a.rs:55:5:\nno\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n".to_owned(),
        };
        assert_eq!(ran.errors(), "thread 'main' panicked at a.rs:55:5:\nno\n");
        let other = "thread 'x' (y) panicked at z";
        assert_eq!(portable_panic(other), other);
        let elsewhere = "thread 'main' (7) panicked at /home/.cargo/registry/src/index-1/tokio-1.54.1/src/a.rs:4:2:";
        assert_eq!(
            portable_panic(elsewhere),
            "thread 'main' panicked at $CARGO/tokio-$VERSION/src/a.rs:"
        );
    }
}
