//! Promise: each reference passes all tests of its task, and each wrong solution fails those that its first lines name.
//!
//! `EXAM_TIMES=100` runs the references a hundred times.

use anyhow::{Context, Result, ensure};
use exam::grade::{self, Case};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const CANDIDATE: &str = env!("CARGO_BIN_EXE_candidate");

fn cases(is_wanted: fn(&Case) -> bool) -> Result<Vec<Case>> {
    let mut cases = grade::cases(Path::new(CANDIDATE))?;
    cases.retain(is_wanted);
    ensure!(!cases.is_empty(), "there are no solutions");
    Ok(cases)
}

#[test]
fn references_pass() -> Result<()> {
    let times = match std::env::var("EXAM_TIMES") {
        Ok(times) => times.parse().context("EXAM_TIMES")?,
        Err(_) => 1,
    };
    let cases = cases(|it| it.solution == "reference")?;
    for _ in 0..times {
        let outcomes = grade::run(Path::new(CANDIDATE), &cases)?;
        let failures = outcomes
            .into_iter()
            .filter_map(|it| Some((it.case, it.failure?)));
        let failures: Vec<_> = failures
            .map(|(case, text)| format!("{case}\n{text}"))
            .collect();
        ensure!(failures.is_empty(), "{}", failures.join("\n\n"));
    }
    Ok(())
}

/// The tests that a wrong solution fails, by its first line: `//! Fails: a_test, another_test`.
fn declared(case: &Case) -> Result<BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tasks");
    let file = folder
        .join(&case.task)
        .join(format!("{}.rs", case.solution));
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let names = text
        .lines()
        .next()
        .and_then(|it| it.strip_prefix("//! Fails: "));
    let names =
        names.with_context(|| format!("{}: it starts without `//! Fails: `", file.display()))?;
    Ok(names
        .split(", ")
        .map(|it| it.trim_end_matches('.').to_owned())
        .collect())
}

#[test]
fn wrong_solutions_fail_what_they_say() -> Result<()> {
    let cases = cases(|it| it.solution.starts_with("wrong_"))?;
    let mut failed: BTreeMap<(String, String), (BTreeSet<String>, BTreeSet<String>)> =
        BTreeMap::new();
    for outcome in grade::run(Path::new(CANDIDATE), &cases)? {
        let expected = declared(&outcome.case)?;
        let key = (outcome.case.task, outcome.case.solution);
        let entry = failed
            .entry(key)
            .or_insert_with(|| (expected, BTreeSet::new()));
        if outcome.failure.is_some() {
            entry.1.insert(outcome.case.test);
        }
    }
    let wrong = failed
        .iter()
        .filter(|(_, (expected, actual))| expected != actual);
    let wrong = wrong.map(|((task, solution), (expected, actual))| {
        format!("tasks/{task}/{solution}.rs should fail {expected:?}, and fails {actual:?}")
    });
    let wrong: Vec<_> = wrong.collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Every task can be read, and has a reference and a wrong solution.
#[test]
fn every_task_is_complete() -> Result<()> {
    let all = cases(|_| true)?;
    for task in grade::tasks()? {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tasks")
            .join(&task);
        let text = std::fs::read_to_string(folder.join("task.md")).with_context(|| task.clone())?;
        ensure!(
            text.split_whitespace().count() < 250,
            "{task}/task.md is long"
        );
        let brief = folder.join("brief.md");
        let brief = std::fs::read_to_string(brief).with_context(|| task.clone())?;
        ensure!(brief.len() < text.len(), "{task}/brief.md isn't brief");
        let own: Vec<_> = all.iter().filter(|it| it.task == task).collect();
        let tests: BTreeSet<_> = own.iter().map(|it| &it.test).collect();
        ensure!(
            tests.len() == grade::count_tests(&task)?,
            "{task}: tests are not counted"
        );
        ensure!(
            own.iter().any(|it| it.solution == "reference"),
            "{task} has no reference"
        );
        ensure!(
            own.iter().any(|it| it.solution != "reference"),
            "{task} has no wrong solution"
        );
    }
    Ok(())
}
