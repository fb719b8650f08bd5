//! For the programs in listings/debugging/unstable that show a debugger or a profiler: such a program starts itself once more, as
//! the service that is in trouble, runs a command against that process, and prints what is the same each time.
//!
//! ```no_run
//! fn main() -> anyhow::Result<()> {
//!     if attach::is_the_service() {
//!         loop {} // The trouble.
//!     }
//!     let service = attach::Service::start()?;
//!     service.settle()?;
//!     let stacks = service.run("gdb -p PID -batch -ex 'thread apply all bt'")?;
//!     print!("{}", attach::stacks(&stacks, "my_program")?);
//!     Ok(())
//! }
//! ```

use anyhow::{Context, Result, ensure};
use regex::Regex;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const SERVICE: &str = "BOOK_SERVICE";
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether this process is the service, and not the one that looks at it.
pub fn is_the_service() -> bool {
    std::env::var_os(SERVICE).is_some()
}

/// A process of this same program, which is killed on drop.
#[derive(Debug)]
pub struct Service {
    child: Child,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    /// Starts it, and waits for its line `ready`.
    ///
    /// # Errors
    ///
    /// It can't be started, or exits before it's ready.
    pub fn start() -> Result<Self> {
        Ok(Self::start_with("", &[])?.0)
    }

    /// Starts it after this command of the shell, such as `ulimit`, and with these arguments; and returns the rest of its line `ready`.
    ///
    /// # Errors
    ///
    /// It can't be started, or exits before it's ready.
    pub fn start_with(before: &str, arguments: &[&str]) -> Result<(Self, String)> {
        let own = std::env::current_exe()?;
        let mut child = Command::new("sh")
            .args(["-c", &format!("{before}\nexec \"$0\" \"$@\"")])
            .arg(own)
            .args(arguments)
            .env(SERVICE, "")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start sh")?;
        let output = child.stdout.take().context("it has a pipe")?;
        let service = Self { child };
        for line in BufReader::new(output).lines() {
            if let Some(rest) = line?.strip_prefix("ready") {
                return Ok((service, rest.trim().to_owned()));
            }
        }
        anyhow::bail!("the service has exited, or closed its output")
    }

    /// Runs a command of the shell, in which PID is the service's, until it has said the same three times in a row.
    ///
    /// # Errors
    ///
    /// It fails, or never says the same.
    pub fn run_until_same(&self, command: &str) -> Result<String> {
        let start = Instant::now();
        let mut last = [self.run(command)?, String::new(), String::new()];
        while last[0] != last[1] || last[0] != last[2] {
            ensure!(start.elapsed() < PATIENCE, "{command}: keeps changing");
            sleep(Duration::from_millis(100));
            last.rotate_right(1);
            last[0] = self.run(command)?;
        }
        let [last, ..] = last;
        Ok(last)
    }

    /// Waits until none of its threads has run for a while.
    ///
    /// # Errors
    ///
    /// One of them keeps running.
    pub fn settle(&self) -> Result<()> {
        self.run_until_same("cat /proc/PID/task/*/schedstat")
            .map(drop)
    }

    /// Runs a command of the shell, in which PID is the service's, and returns what it prints, with PID again.
    ///
    /// # Errors
    ///
    /// It fails.
    pub fn run(&self, command: &str) -> Result<String> {
        let pid = self.child.id().to_string();
        let command = Regex::new(r"\bPID\b")?.replace_all(command, &pid);
        let pid = Regex::new(&format!(r"\b{pid}\b"))?;
        Ok(pid.replace_all(&shell(&command)?, "PID").into_owned())
    }
}

/// A command that runs this program as the service: what it prints, where SELF is the program.
///
/// # Errors
///
/// It fails.
pub fn run_service_in(command: &str) -> Result<String> {
    let own = std::env::current_exe()?;
    let own = own.to_str().context("its path is UTF-8")?;
    shell(&format!(
        "export {SERVICE}=1; {}",
        command.replace("SELF", own)
    ))
}

fn shell(command: &str) -> Result<String> {
    let output = Command::new("sh")
        .args(["-c", command])
        .env("LC_ALL", "C")
        .env_remove("DEBUGINFOD_URLS")
        .stdin(Stdio::null())
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{command}: {}\n{errors}",
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What gdb says of all threads: of each stack its innermost function, where a worker parks, and the program's own lines. `...` is
/// what lies between. A thread in an own function comes first, and the main thread last.
///
/// # Errors
///
/// gdb showed no stack.
pub fn stacks(gdb: &str, program: &str) -> Result<String> {
    let frame = Regex::new(r"^#\d+ +(?:0x[0-9a-f]+ in )?(.+?) \(.*\)(?: at (\S+))?$")?;
    let name = Regex::new("^Thread .*\"(.+)\"")?;
    let parked = Regex::new("(::Parker|::CachedParkThread)::park(::h[0-9a-f]{16})?$")?;
    let hash = Regex::new("::h[0-9a-f]{16}$")?;
    let own = format!("{program}::");
    let mut threads: Vec<(bool, bool, String)> = Vec::new();
    for line in gdb.lines() {
        if let Some(thread) = name.captures(line) {
            let is_main = &thread[1] == program;
            threads.push((is_main, true, format!("Thread \"{}\":\n", &thread[1])));
        } else if let Some((frame, (_, is_idle, stack))) =
            frame.captures(line).zip(threads.last_mut())
        {
            let function = frame[1].trim_start_matches("__libc_");
            let place = frame.get(2).map_or("", |at| at.as_str());
            let place = place.rsplit('/').next().unwrap_or_default();
            if function.starts_with(&own) {
                stack.push_str(&format!("  {function} at {place}\n"));
                *is_idle = false;
            } else if parked.is_match(function) || stack.ends_with(":\n") {
                let function = hash.replace(function, "");
                stack.push_str(&format!("  {function}\n"));
            } else if !stack.ends_with("...\n") {
                stack.push_str("  ...\n");
            }
        }
    }
    ensure!(!threads.is_empty(), "gdb shows no stack:\n{gdb}");
    threads.sort();
    Ok(threads.into_iter().map(|(.., stack)| stack).collect())
}

/// The program's own functions in a report of perf with the column Children, if they are in most of the samples.
///
/// # Errors
///
/// There are none.
pub fn hot(perf: &str, program: &str) -> Result<String> {
    let line = Regex::new(r"^ *(\d+)\.\d+% +\S+ +(\S+) +\S+ +\[\.\] (\S+)")?;
    let own = format!("{program}::");
    let lines = perf.lines().filter_map(|it| line.captures(it));
    let shown: String = lines
        .filter(|it| it[3].starts_with(&own) && !it[3].contains("}::{"))
        .filter(|it| it[1].parse().is_ok_and(|share: u8| share >= 80))
        .map(|it| format!("over 80 %  {}  {}\n", &it[2], &it[3]))
        .collect();
    ensure!(!shown.is_empty(), "no function is hot:\n{perf}");
    Ok(shown)
}

/// What heaptrack says of the largest part of the memory that was never freed: how much, and the program's own lines.
///
/// # Errors
///
/// There are none.
pub fn allocations(heaptrack: &str, program: &str) -> Result<String> {
    let own = format!("{program}::");
    let hash = Regex::new("::h[0-9a-f]{16}$")?;
    let mut lines = heaptrack.lines().map(str::trim);
    let amount = lines.find(|line| line.contains(" leaked over ") && line.ends_with("calls from:"));
    let mut shown = format!("{}\n", amount.context("nothing is allocated")?);
    while let Some(line) = lines.next().filter(|line| !line.contains(" leaked over ")) {
        let place = lines.clone().next().and_then(|at| at.rsplit('/').next());
        let place = place.filter(|at| line.starts_with(&own) && at.starts_with(program));
        if let Some(place) = place {
            let function = hash.replace(line, "").replace("_$u7b$$u7b$", "{{");
            let function = function.replace("$u7d$$u7d$", "}}");
            shown.push_str(&format!("  {function} at {place}\n"));
        } else if !shown.ends_with("...\n") {
            shown.push_str("  ...\n");
        }
    }
    Ok(shown)
}
