//! Runs the checks in the copy. This is the only file that knows how the book's tests are built and started.

use crate::breakage::{Breakage, Check};
use crate::copy::Copy;
use anyhow::{Context, Result, bail};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// Whether a breakage was noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The check failed and named the place: in this line of its output.
    Caught(String),
    /// The check passed.
    Unnoticed,
    /// The check failed, but its output, which this is, doesn't have the place or the words.
    WrongMessage(String),
}

/// The package with the book's tests.
const ROOT_PACKAGE: &str = "rust-async-patterns";

/// The checks, built for the copy.
pub struct Checks<'a> {
    copy: &'a Copy,
    /// The target folder of the book itself.
    target: PathBuf,
    executables: BTreeMap<String, PathBuf>,
}

impl<'a> Checks<'a> {
    /// Builds the test files that these checks are in. Tests read the book when they run, so they aren't built again for each
    /// breakage.
    ///
    /// Fails if Cargo can't be started, or a test doesn't compile.
    pub fn build<'c>(
        copy: &'a Copy,
        target: &Path,
        checks: impl Iterator<Item = &'c Check>,
    ) -> Result<Self> {
        let mut built = Self {
            copy,
            target: target.to_owned(),
            executables: BTreeMap::new(),
        };
        let files: BTreeSet<_> = checks
            .filter_map(|check| match check {
                Check::Test { file, .. } => Some(file),
                Check::Browser { .. } => None,
            })
            .collect();
        if files.is_empty() {
            return Ok(built);
        }
        let mut cargo = built.cargo(&["test", "--no-run", "--message-format=json"]);
        for file in &files {
            cargo.args(["--test", file]);
        }
        let compiled = runs::build::run(&mut cargo)?;
        if !compiled.errors.is_empty() {
            let root = copy.root().display();
            bail!(
                "the tests of the copy in {root} do not compile:\n{}",
                compiled.errors
            );
        }
        // Only the root package's: another one may have a test of the same name.
        let executables = compiled.executables.into_iter();
        let own = executables.filter(|((package, _), _)| package == ROOT_PACKAGE);
        built.executables = own.map(|((_, test), file)| (test, file)).collect();
        Ok(built)
    }

    /// Demands that a check passes on the unbroken copy, because its failure would prove nothing otherwise.
    ///
    /// Fails if the check fails, or can't be started.
    pub fn demand_pass(&self, check: &Check) -> Result<()> {
        let (passed, output) = self.output(check)?;
        if !passed {
            bail!(
                "{check:?} fails on the unbroken copy of the book already, so it proves nothing:\n{output}"
            );
        }
        Ok(())
    }

    /// Runs the check of a breakage that was made.
    ///
    /// Fails if the check can't be started, or there is no such test.
    pub fn run(&self, breakage: &Breakage) -> Result<Outcome> {
        let (passed, output) = self.output(&breakage.check)?;
        Ok(judge(passed, output, breakage))
    }

    /// Whether a check passes, and what it prints.
    fn output(&self, check: &Check) -> Result<(bool, String)> {
        let mut command = match check {
            Check::Test { file, only } => {
                let executable = self.executables.get(file);
                let mut command = Command::new(
                    executable.with_context(|| format!("there is no tests/{file}.rs"))?,
                );
                if let Some(only) = only {
                    command.args([only, "--exact"]);
                }
                command
            }
            Check::Browser { page } => {
                let test = "every_page_of_the_book_works";
                let mut command =
                    self.cargo(&["test", "--package", "browser", "--", test, "--exact"]);
                command.env("BOOK_PAGE", page);
                command
            }
        };
        let output = self
            .in_copy(&mut command)
            .output()
            .with_context(|| format!("cannot start {check:?}"))?;
        let printed = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        let (passed, printed) = (output.status.success(), printed.concat());
        if passed && !RUNS_A_TEST.is_match(&printed) {
            bail!("{check:?} runs no test; was the test renamed or removed?\n{printed}");
        }
        Ok((passed, printed))
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(runs::cargo());
        command.args(arguments);
        self.in_copy(&mut command);
        command
    }

    /// A command as a reader would start it in the copy.
    ///
    /// Third-party crates are shared with the book, because both use its build folder. The book's own crates must
    /// not be shared: cargo gives a workspace member the same file name in every copy of the workspace, and would take
    /// the book's tests, with the book's path compiled in, for those of the copy. A workspace wrapper is part of that name,
    /// so a wrapper that does nothing tells them apart. Windows has none; there, the copy builds all of its crates.
    fn in_copy<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        if cfg!(unix) {
            command
                .env("CARGO_BUILD_BUILD_DIR", &self.target)
                .env("RUSTC_WORKSPACE_WRAPPER", "env");
        }
        command
            .current_dir(self.copy.root())
            .env("CARGO", runs::cargo())
            .env("CARGO_MANIFEST_DIR", self.copy.root())
            .env("CARGO_TARGET_DIR", self.target.join("drift/target"))
            .env("CARGO_NET_OFFLINE", "true")
            // A check that passed before runs again, because it must fail now.
            .env("BOOK_RERUN", "1")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
    }
}

static RUNS_A_TEST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^running [1-9]\d* tests?").expect("a constant expression"));

/// What the output of a check says about a breakage.
fn judge(passed: bool, output: String, breakage: &Breakage) -> Outcome {
    if passed {
        return Outcome::Unnoticed;
    }
    let place = output.lines().find(|line| names(line, &breakage.place));
    match place {
        Some(line) if output.contains(&breakage.words) => Outcome::Caught(line.trim().to_owned()),
        _ => Outcome::WrongMessage(output),
    }
}

/// Whether a line names a place. `a.md:12` doesn't name `a.md:1`.
fn names(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let after = line[at + place.len()..].chars().next();
        !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breakage::Edit;

    #[test]
    fn a_breakage_is_caught_only_with_the_place_and_the_words() {
        let edit = Edit::remove("src/a.md");
        let breakage =
            Breakage::new("", edit, Check::all("outputs"), "src/a.md:3").with_words("prints");
        let judge = |passed, output: &str| judge(passed, output.to_owned(), &breakage);
        let caught = Outcome::Caught("src/a.md:3: it prints something else".into());
        assert_eq!(
            judge(false, "FAILED\n src/a.md:3: it prints something else\n"),
            caught
        );
        assert_eq!(
            judge(true, "src/a.md:3: it prints something else"),
            Outcome::Unnoticed
        );
        for output in [
            "src/a.md:3: does not compile",
            "src/a.md:4: it prints something else",
            "",
        ] {
            assert_eq!(judge(false, output), Outcome::WrongMessage(output.into()));
        }
    }

    #[test]
    fn a_place_is_named_by_its_whole_line_number_and_its_whole_name() {
        assert!(names("src/a.md:1: wrong", "src/a.md:1"));
        assert!(names("see src/a.md:12, src/a.md:1", "src/a.md:1"));
        assert!(!names("src/a.md:12: wrong", "src/a.md:1"));
        assert!(!names("tasks/join_set fails", "tasks/join"));
    }

    #[test]
    fn a_check_that_runs_no_test_is_noticed() {
        assert!(RUNS_A_TEST.is_match("\nrunning 1 test\ntest a ... ok\n"));
        assert!(!RUNS_A_TEST.is_match("\nrunning 0 tests\n"));
    }
}
