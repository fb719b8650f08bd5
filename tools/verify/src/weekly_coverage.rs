//! Whether the weekly workflow tries the newest releases of everything, and reports what it finds.

use crate::{numbered, regex};
use model::problem::Problem;
use model::project::Project;

const WEEKLY: &str = ".github/workflows/fresh.yml";
const EVERY_PUSH: &str = ".github/workflows/verify.yml";
const SCRIPT: &str = ".ci/run";
const MANIFEST: &str = "Cargo.toml";

/// What the weekly workflow does, each with a pattern that matches it.
const STEPS: &str = r#"
a weekly schedule: - cron: "\d+ \d+ \* \* [0-6*]"
a run with the newest dependencies: cargo update\s+bash \.ci/run
a run with beta Rust: (?s)toolchain install beta.*bash \.ci/run
a run that breaks other places: cargo book drift --seed
a report of failures: gh issue create
"#;

const IGNORES_FAILURE: &str =
    r"\|\|\s*(?:true|:|exit 0|echo)|continue-on-error:\s*true|set \+e|;\s*true\s*$|if:\s*false";

const PINS: &str = r#"^[\w-]+\s*=\s*(?:\{.*version\s*=\s*)?"\s*(?:[=<~]|[^"]*,|\d+\.\d+\.\*)"#;

/// What keeps the weekly workflow from trying a new release, or a failure from being reported.
///
/// # Errors
///
/// A workflow or the manifest can't be read.
pub fn gaps(project: &Project) -> Result<Vec<Problem>, Problem> {
    let mut problems = Vec::new();
    let weekly = STEPS.lines().filter_map(|step| step.split_once(": "));
    let every_push = ("the verification", r"bash \.ci/run");
    let steps = weekly.map(|step| (WEEKLY, step));
    for (file, (what, pattern)) in steps.chain([(EVERY_PUSH, every_push)]) {
        let text = project.read(file)?;
        let lines: Vec<_> = code_lines(&text).map(|(_, line)| line).collect();
        if !regex(pattern).is_match(&lines.join("\n")) {
            let message = format!("{what} is missing: nothing matches `{pattern}`");
            problems.push(Problem::of(file, message));
        }
    }
    for (file, pattern, why) in [
        (WEEKLY, IGNORES_FAILURE, "ignores a failure"),
        (EVERY_PUSH, IGNORES_FAILURE, "ignores a failure"),
        (SCRIPT, IGNORES_FAILURE, "ignores a failure"),
        (
            MANIFEST,
            PINS,
            "pins this dependency, so no newer release is tried",
        ),
    ] {
        let pattern = regex(pattern);
        let text = project.read(file)?;
        for (number, line) in code_lines(&text).filter(|(_, line)| pattern.is_match(line)) {
            problems.push(Problem::at(file, number, format!("`{line}` {why}")));
        }
    }
    Ok(problems)
}

fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = numbered(text).map(|(number, line)| (number, line.trim()));
    lines.filter(|(_, line)| !line.starts_with('#'))
}
