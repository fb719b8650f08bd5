//! Processes that run skeptic's checks, one at a time each.

use crate::Program;
use crate::skeptic_compiler::{LOG, REAL, VERSION, WORKER, real, version_of};
use std::env;
use std::io::{self, BufRead, BufReader, PipeReader, Write};
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

/// Ends the output of a check; followed by what came of it.
const END: &str = "\u{1}end of check\u{1} ";

/// Runs checks by their numbers, as they come in, where this process was started for that.
pub fn run_if_asked(programs: &[Program]) -> bool {
    if env::args().nth(1).is_none_or(|first| first != WORKER) {
        return false;
    }
    // A failed check is told by its output; how it unwinds says nothing.
    panic::set_hook(Box::new(|info| eprintln!("{info}")));
    for line in io::stdin().lines().map_while(Result::ok) {
        let program = line
            .parse::<usize>()
            .ok()
            .and_then(|number| programs.get(number));
        let passed = program.is_some_and(|program| panic::catch_unwind(program.check).is_ok());
        println!("\n{END}{passed}");
        let _ = io::stdout().flush();
    }
    true
}

/// The workers that wait for work, and what they did.
#[derive(Default)]
pub struct Workers {
    idle: Mutex<Vec<Worker>>,
    run: AtomicUsize,
    /// What the compiler says of itself.
    version: OnceLock<io::Result<String>>,
}

struct Worker {
    process: Child,
    orders: ChildStdin,
    output: BufReader<PipeReader>,
}

impl Workers {
    /// Has a worker run a check; the error is what it printed.
    pub fn check(&self, number: usize) -> Result<(), String> {
        let idle = self
            .idle
            .lock()
            .expect("no worker panics while it holds the list")
            .pop();
        let mut worker = match idle {
            Some(worker) => worker,
            None => self
                .start_worker()
                .map_err(|error| format!("cannot start a worker: {error}"))?,
        };
        let (passed, output) = worker
            .check(number)
            .map_err(|error| format!("the worker is gone: {error}"))?;
        self.idle
            .lock()
            .expect("no worker panics while it holds the list")
            .push(worker);
        if !passed {
            return Err(output);
        }
        self.run.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn start_worker(&self) -> io::Result<Worker> {
        let version = self.version.get_or_init(|| version_of(&real()));
        match version {
            Ok(version) => Worker::start(version),
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }

    /// How many programs the compiler's stand-in has made, by its own count.
    pub fn compiled(&self) -> usize {
        std::fs::read(log()).map_or(0, |log| log.len())
    }

    /// How many programs ran to a good end.
    pub fn run(&self) -> usize {
        self.run.load(Ordering::Relaxed)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(log());
    }
}

/// Where the compilers of this run count: a byte for each program.
fn log() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("compiled-{}", std::process::id()))
}

impl Worker {
    fn start(version: &str) -> io::Result<Self> {
        let itself = env::current_exe()?;
        // One pipe for both, so that what the compiler says stands where it said it.
        let (output, end) = io::pipe()?;
        let mut process = Command::new(&itself)
            .arg(WORKER)
            .env(VERSION, version)
            .env(REAL, real())
            .env("RUSTC", &itself)
            .env(LOG, log())
            .env("RUST_BACKTRACE", "0")
            .stdin(std::process::Stdio::piped())
            .stdout(end.try_clone()?)
            .stderr(end)
            .spawn()?;
        let orders = process
            .stdin
            .take()
            .ok_or_else(|| io::Error::other("no way to speak to it"))?;
        Ok(Self {
            process,
            orders,
            output: BufReader::new(output),
        })
    }

    fn check(&mut self, number: usize) -> io::Result<(bool, String)> {
        writeln!(self.orders, "{number}")?;
        let mut output = String::new();
        loop {
            let mut line = Vec::new();
            if self.output.read_until(b'\n', &mut line)? == 0 {
                let status = self.process.wait()?;
                return Ok((false, format!("{output}\nthe worker ended: {status}")));
            }
            let line = String::from_utf8_lossy(&line);
            if let Some(passed) = line.strip_prefix(END) {
                return Ok((passed.trim() == "true", output));
            }
            output.push_str(&line);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It ends when nothing more can come; it holds nothing that would need more care.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
