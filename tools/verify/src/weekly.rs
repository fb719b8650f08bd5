//! Sees that the weekly run looks at what is new: it is what notices when a release of a dependency, or of
//! Rust, breaks the book.

use model::problem::Problem;
use model::project::Project;
use regex::Regex;
use std::sync::LazyLock;

/// The workflow that runs every week.
const WEEKLY: &str = ".github/workflows/fresh.yml";

/// The workflow that runs for every push.
const EVERY_PUSH: &str = ".github/workflows/verify.yml";

const MANIFEST: &str = "Cargo.toml";

/// A schedule for one day of the week, or for every day.
static SCHEDULE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?m)^\s*- cron: "\d+ \d+ \* \* (?:[0-6]|\*)""#).expect("a constant expression")
});

/// What lets a step pass although it failed.
static PASSES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\|\|\s*(?:true|:|exit 0|echo)|continue-on-error:\s*true|set \+e|;\s*true\s*$|if:\s*false",
    )
    .expect("a constant expression")
});

/// A requirement that keeps newer compatible releases out.
static HELD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^[\w-]+\s*=\s*(?:\{.*version\s*=\s*)?"\s*(?:[=<~]|[^"]*,|\d+\.\d+\.\*)"#)
        .expect("a constant expression")
});

/// What keeps the weekly run from seeing something new, or anyone from hearing of it.
///
/// # Errors
///
/// A workflow or the manifest cannot be read.
pub fn blind_spots(project: &Project) -> Result<Vec<Problem>, Problem> {
    let mut problems = Vec::new();
    let weekly = project.read(WEEKLY)?;
    let needed = [
        (
            SCHEDULE.is_match(&weekly),
            "no schedule runs it every week; add `- cron: \"23 4 * * 1\"`",
        ),
        (
            weekly.contains("cargo update"),
            "it does not take the newest dependencies; run `cargo update` before `.ci/run`",
        ),
        (
            weekly.matches("bash .ci/run").count() >= 2,
            "it does not verify the book twice: `bash .ci/run` with the newest dependencies, and with the next Rust",
        ),
        (
            weekly.contains("toolchain install beta"),
            "it does not try the next Rust",
        ),
        (
            weekly.contains("cargo book drift"),
            "it does not try other breakages; run `cargo book drift` with other seeds",
        ),
        (
            weekly.contains("gh issue create"),
            "nobody is told what drifted; open an issue with `gh issue create`",
        ),
    ];
    let missing = needed.into_iter().filter(|(is_there, _)| !is_there);
    problems.extend(missing.map(|(_, why)| Problem::of(WEEKLY, why)));
    let every_push = project.read(EVERY_PUSH)?;
    if !every_push.contains("bash .ci/run") {
        problems.push(Problem::of(
            EVERY_PUSH,
            "it does not verify the book: `bash .ci/run`",
        ));
    }
    let script = project.read(".ci/run")?;
    for (file, text) in [
        (WEEKLY, &weekly),
        (EVERY_PUSH, &every_push),
        (".ci/run", &script),
    ] {
        problems.extend(lines(
            file,
            text,
            &PASSES,
            "lets a failure pass, so that nobody hears of it",
        ));
    }
    let manifest = project.read(MANIFEST)?;
    problems.extend(lines(
        MANIFEST,
        &manifest,
        &HELD,
        "holds this dependency, so that no newer release is ever tried; Cargo.lock is what holds versions",
    ));
    Ok(problems)
}

fn lines(file: &str, text: &str, found: &Regex, why: &str) -> Vec<Problem> {
    let lines = text.lines().enumerate();
    let lines =
        lines.filter(|(_, line)| !line.trim_start().starts_with('#') && found.is_match(line));
    lines
        .map(|(number, line)| Problem::at(file, number + 1, format!("`{}` {why}", line.trim())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_a_failure_pass_is_found() {
        for line in [
            "run: bash .ci/run || true",
            "  bash .ci/run ||:",
            "continue-on-error: true",
            "set +e",
            "cargo test ; true",
        ] {
            assert!(PASSES.is_match(line), "{line}");
        }
        for line in [
            "a || fail 'no'",
            "continue-on-error: false",
            "set -euo pipefail",
        ] {
            assert!(!PASSES.is_match(line), "{line}");
        }
    }

    #[test]
    fn a_requirement_that_takes_no_newer_release_is_found() {
        for line in [
            "tokio = \"=1.54\"",
            "tokio = \"<1.60\"",
            "tokio = \"~1.54.1\"",
            "tokio = \">=1, <1.60\"",
            "tokio = { version = \"=1.54\", features = [] }",
        ] {
            assert!(HELD.is_match(line), "{line}");
        }
        for line in [
            "tokio = \"1.54\"",
            "clap = { version = \"4.6\", features = [\"derive\"] }",
        ] {
            assert!(!HELD.is_match(line), "{line}");
        }
    }
}
