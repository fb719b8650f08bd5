//! Grading: each test runs in a process of its own, so that one that hangs or blocks every thread fails alone.

use anyhow::{Context, Result, bail};
use process_control::{ChildExt, Control};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// How long the process of a test may run.
const LIMIT: Duration = Duration::from_secs(20);

/// How many tests run side by side.
const PARALLEL: usize = 8;

/// A test of a solution: `gate reference a_late_waiter_passes`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// The task's folder.
    pub task: String,
    /// The file without `.rs`.
    pub solution: String,
    /// The test's function.
    pub test: String,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}: {}", self.task, self.solution, self.test)
    }
}

/// A case that ran.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What ran.
    pub case: Case,
    /// What it said when it failed.
    pub failure: Option<String>,
}

/// The cases that the executable `candidate` consists of.
///
/// # Errors
///
/// It can't be run.
pub fn cases(candidate: &Path) -> Result<Vec<Case>> {
    let output = Command::new(candidate).output();
    let output = output.with_context(|| format!("cannot run {}", candidate.display()))?;
    let text = String::from_utf8(output.stdout)?;
    let cases = text.lines().map(|line| {
        let mut words = line.split(' ').map(str::to_owned);
        let mut word = || words.next().with_context(|| format!("no case: {line}"));
        Ok(Case {
            task: word()?,
            solution: word()?,
            test: word()?,
        })
    });
    cases.collect()
}

/// Runs the cases, and returns their outcomes in the same order.
///
/// # Errors
///
/// A process can't be started.
pub fn run(candidate: &Path, cases: &[Case]) -> Result<Vec<Outcome>> {
    let next = Mutex::new(cases.iter().enumerate());
    let done = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        loop {
            let taken = next.lock().expect("no thread panics").next();
            let Some((number, case)) = taken else {
                return Ok(());
            };
            let outcome = run_one(candidate, case)?;
            done.lock()
                .expect("no thread panics")
                .push((number, outcome));
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..PARALLEL).map(|_| scope.spawn(work)).collect();
        let ended = workers
            .into_iter()
            .map(|it| it.join().expect("no thread panics"));
        ended.collect::<Result<()>>()
    })?;
    let mut outcomes = done.into_inner().expect("no thread panics");
    outcomes.sort_by_key(|(number, _)| *number);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

fn run_one(candidate: &Path, case: &Case) -> Result<Outcome> {
    let child = Command::new(candidate)
        .args([&case.task, &case.solution, &case.test])
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", candidate.display()))?;
    let ended = child
        .controlled_with_output()
        .time_limit(LIMIT)
        .terminate_for_timeout()
        .wait()?;
    let failure = match ended {
        None => Some(format!("it still ran after {} s", LIMIT.as_secs())),
        Some(output) if output.status.success() => None,
        Some(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    };
    Ok(Outcome {
        case: case.clone(),
        failure,
    })
}

/// Builds `candidate` with the solutions in a folder. Returns the executable, and the tasks whose solution doesn't compile, each with
/// the compiler's messages.
///
/// # Errors
///
/// Cargo fails for another reason.
pub fn build(solutions: &Path) -> Result<(PathBuf, Vec<(String, String)>)> {
    let mut broken: Vec<(String, String)> = Vec::new();
    loop {
        let without: Vec<&str> = broken.iter().map(|(task, _)| task.as_str()).collect();
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args([
                "build",
                "--package",
                "exam",
                "--bin",
                "candidate",
                "--message-format",
                "json",
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("EXAM_SOLUTIONS", solutions)
            .env("EXAM_WITHOUT", without.join(","))
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        let messages = String::from_utf8(output.stdout)?;
        let messages = messages.lines().map(serde_json::from_str);
        let messages: Vec<Value> = messages.collect::<Result<_, _>>()?;
        if output.status.success() {
            let executable = messages
                .iter()
                .rev()
                .find_map(|it| it["executable"].as_str());
            return Ok((
                executable.context("cargo names no executable")?.into(),
                broken,
            ));
        }
        let found = errors(&messages, solutions);
        if found.is_empty() {
            bail!("cargo fails, but not in a solution (above)");
        }
        broken.extend(found);
    }
}

/// The tasks in whose solution the compiler found errors, and what it said.
fn errors(messages: &[Value], solutions: &Path) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for message in messages.iter().map(|it| &it["message"]) {
        if message["level"] != "error" {
            continue;
        }
        let rendered = message["rendered"].as_str().unwrap_or_default();
        for task in tasks_in(rendered, solutions) {
            match found.iter_mut().find(|(it, _)| *it == task) {
                Some((_, text)) => text.push_str(rendered),
                None => found.push((task, rendered.to_owned())),
            }
        }
    }
    found
}

/// The tasks that a message of the compiler names: by the file of the solution, or, if the tests call what it lacks, by theirs.
fn tasks_in(rendered: &str, solutions: &Path) -> BTreeSet<String> {
    let places = rendered
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("--> "));
    let files = places.map(|place| Path::new(place.split(':').next().unwrap_or(place)));
    let tasks = files.filter_map(|file| {
        if file.ends_with("tests.rs") {
            return file.parent()?.file_name();
        }
        let is_solution = file.parent().is_some_and(|it| solutions.ends_with(it));
        if is_solution { file.file_stem() } else { None }
    });
    tasks.map(|it| it.to_string_lossy().into_owned()).collect()
}

/// The names of all tasks.
///
/// # Errors
///
/// The folder can't be read.
pub fn tasks() -> Result<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tasks");
    let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let names = entries.map(|it| Ok(it?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// How many tests a task has, which its file lists.
///
/// # Errors
///
/// The file can't be read.
pub fn count_tests(task: &str) -> Result<usize> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tasks");
    let file = folder.join(task).join("tests.rs");
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let list = text
        .split("exam::tests!")
        .nth(1)
        .and_then(|it| it.split(['}', ']', ')']).next());
    let list = list.with_context(|| format!("{}: no exam::tests!", file.display()))?;
    Ok(list.split(',').filter(|it| it.trim().contains(' ')).count())
}
