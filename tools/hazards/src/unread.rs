//! Tests of programs whose output nobody reads anymore, so that `println!` and `eprintln!` panic: each runs in a child process.

use std::env;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Set in the child processes.
const CHILD: &str = "BOOK_TEST_UNREAD";
/// How long a child process may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Whether this is a child process of [`succeeds_unread`] or [`succeeds_without_stderr`]. Then this returns when its output has been closed.
pub fn is_unread() -> bool {
    // At its end, the parent has closed the pipe.
    env::var_os(CHILD).is_some() && io::copy(&mut io::stdin(), &mut io::sink()).is_ok()
}

/// Runs a test alone in a child process, and closes that process's stdout as soon as the test has started.
///
/// `module` is the `module_path!()` of the test. It starts with [`is_unread`] and ends with [`std::process::exit`], because the test harness
/// can't print a result.
///
/// # Panics
///
/// The child process can't be started, fails, or takes more than a minute.
pub fn succeeds_unread(module: &str, test: &str) {
    let mut child = alone(module, test)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process starts");
    let stdout = child.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let has_started = lines.any(|line| line.starts_with("running"));
    drop((lines, child.stdin.take()));
    assert!(has_started, "there is no test {test}");
    succeeds(child, test);
}

/// Runs a test alone in a child process whose stderr is closed.
///
/// `module` is the `module_path!()` of the test. If it prints something early, it starts with [`is_unread`].
///
/// # Panics
///
/// The child process can't be started, fails, or takes more than a minute.
pub fn succeeds_without_stderr(module: &str, test: &str) {
    let mut child = alone(module, test)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process starts");
    drop((child.stderr.take(), child.stdin.take()));
    succeeds(child, test);
}

/// This executable, with a single test of this module.
fn alone(module: &str, test: &str) -> Command {
    let (_, module) = module.split_once("::").expect("a module of a crate");
    let mut command = Command::new(env::current_exe().expect("a path"));
    command
        .arg(format!("{module}::{test}"))
        // With a single thread, the harness would print the name of the test before it runs.
        .args(["--exact", "--nocapture", "--test-threads=2"])
        .env(CHILD, "1")
        .stdin(Stdio::piped());
    command
}

fn succeeds(mut child: Child, test: &str) {
    let end = Instant::now() + LIMIT;
    let status = loop {
        match child.try_wait().expect("a process can be waited for") {
            Some(status) => break status,
            None if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            None => {
                child.kill().expect("a process can be killed");
                break child.wait().expect("a process can be waited for");
            }
        }
    };
    assert!(status.success(), "{test} in a child process: {status}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn child() {
        if is_unread() {
            println!("a line"); // It panics.
            std::process::exit(0);
        }
    }

    #[test]
    #[should_panic(expected = "child in a child process: exit")]
    fn a_line_that_nobody_reads_is_found() {
        succeeds_unread(module_path!(), "child");
    }

    #[test]
    fn careful_child() {
        if is_unread() {
            let line = std::panic::catch_unwind(|| println!("a line"));
            std::process::exit(i32::from(line.is_ok()));
        }
    }

    #[test]
    fn who_expects_it_succeeds() {
        succeeds_unread(module_path!(), "careful_child");
    }

    /// Only a part of the test below.
    #[test]
    fn reports_on_stderr() {
        if is_unread() {
            eprintln!("a line");
        }
    }

    #[test]
    #[should_panic(expected = "reports_on_stderr in a child process: exit")]
    fn a_report_that_nobody_reads_is_found() {
        succeeds_without_stderr(module_path!(), "reports_on_stderr");
    }
}
