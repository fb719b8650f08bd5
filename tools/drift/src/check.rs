//! Runs the checks that are meant to notice.

use crate::breakage::Breakage;
use crate::copy::Copy;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// What is meant to notice a breakage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// One of the book's test files, all of it or one test: `tests/outputs.rs`, `tasks/join_set`.
    ///
    /// It reads the book when it runs, so it is not built again for each breakage.
    Test {
        /// The file's name.
        file: &'static str,
        /// The one test to run.
        only: Option<String>,
    },
    /// The test file `tests/skeptic.rs`, which holds the pages' programs and so is built again.
    Skeptic,
    /// The tests in a listing itself.
    Listing {
        /// Its name.
        name: String,
    },
    /// A test file of a part, which belongs to none of its listings.
    Part {
        /// The file's name.
        file: &'static str,
    },
    /// The test that opens a page in a browser, which is none of what `cargo test` runs alone.
    Browser {
        /// The page's source; every page where it is not named.
        page: Option<String>,
    },
}

impl Check {
    /// A test file, all of it.
    pub fn test(file: &'static str) -> Self {
        Self::Test { file, only: None }
    }

    /// What must pass on the sound copy before this check proves anything: the check of everything that it is a part
    /// of, so that a file is looked at once; but where that would take minutes, this one alone.
    pub fn whole(&self) -> Self {
        match self {
            Self::Test {
                file: "manifests" | "skill",
                ..
            }
            | Self::Browser { page: Some(_) } => self.clone(),
            Self::Test { file, .. } => Self::test(file),
            other => other.clone(),
        }
    }

    /// One test of a file.
    pub fn only(file: &'static str, test: impl Into<String>) -> Self {
        Self::Test {
            file,
            only: Some(test.into()),
        }
    }
}

/// Whether a breakage was noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The check failed, with its own words and the place; this line of its message has the place.
    Caught(String),
    /// The check passed.
    Unnoticed,
    /// The check failed without its own words or the place: this is what it said.
    Unclear(String),
}

/// The checks, built for the copy.
pub struct Checks<'a> {
    copy: &'a Copy,
    executables: BTreeMap<String, PathBuf>,
}

impl<'a> Checks<'a> {
    /// Builds the book's test files in the copy.
    ///
    /// # Errors
    ///
    /// Cargo cannot be started, or a test does not compile.
    pub fn build(copy: &'a Copy) -> Result<Self> {
        let mut checks = Self {
            copy,
            executables: BTreeMap::new(),
        };
        checks.build_tests()?;
        Ok(checks)
    }

    /// Builds the files in tests/, by their names: not the listings' own tests, of which a few are run.
    fn build_tests(&mut self) -> Result<()> {
        let copy = self.copy;
        let mut arguments = vec![
            "test".to_owned(),
            "--no-run".to_owned(),
            "--message-format=json-render-diagnostics".to_owned(),
        ];
        let tests = copy.root().join("tests");
        let entries =
            fs::read_dir(&tests).with_context(|| format!("cannot read {}", tests.display()))?;
        for entry in entries.flatten() {
            let file = PathBuf::from(entry.file_name());
            if let (Some("rs"), Some(name)) = (
                file.extension().and_then(OsStr::to_str),
                file.file_stem().and_then(OsStr::to_str),
            ) {
                arguments.extend(["--test".to_owned(), name.to_owned()]);
            }
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let output = self
            .cargo(&arguments)
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start cargo to build the copy's tests")?;
        if !output.status.success() {
            bail!(
                "the tests of the copy in {} do not compile",
                copy.root().display()
            );
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Ok(message) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let target = &message["target"];
            let is_test = target["kind"][0] == "test"
                && target["src_path"]
                    .as_str()
                    .is_some_and(|source| PathBuf::from(source).parent() == Some(&tests));
            if let (true, Some(name), Some(executable)) = (
                is_test,
                target["name"].as_str(),
                message["executable"].as_str(),
            ) {
                self.executables.insert(name.to_owned(), executable.into());
            }
        }
        Ok(())
    }

    /// Sees that a check passes while the copy is sound: else its failure would prove nothing.
    ///
    /// # Errors
    ///
    /// It does not.
    pub fn demand_pass(&self, check: &Check) -> Result<()> {
        let output = self.output(check)?;
        if !output.status.success() {
            bail!(
                "{check:?} fails on the sound copy of the book already, so it proves nothing:\n{}",
                told(&output)
            );
        }
        Ok(())
    }

    /// Runs the check of a breakage that was made.
    ///
    /// # Errors
    ///
    /// The check cannot be started.
    pub fn run(&self, breakage: &Breakage) -> Result<Outcome> {
        let output = self.output(&breakage.check)?;
        Ok(judged(output.status.success(), told(&output), breakage))
    }

    fn output(&self, check: &Check) -> Result<Output> {
        let mut command = match check {
            Check::Test { file, only } => {
                let executable = self
                    .executables
                    .get(*file)
                    .with_context(|| format!("there is no test file tests/{file}.rs"))?;
                let mut command = Command::new(executable);
                if let Some(only) = only {
                    command.args([only, "--exact"]);
                }
                command
            }
            Check::Skeptic => self.cargo(&["test", "--quiet", "--test", "skeptic"]),
            // By their names alone, which are unique: with one package, the features of what it depends on would
            // be others, and all of that would be built once more.
            Check::Listing { name } => self.cargo(&["test", "--quiet", "--bin", name]),
            Check::Part { file } => self.cargo(&["test", "--quiet", "--test", file]),
            Check::Browser { page } => {
                let test = "every_page_of_the_book_works";
                let mut command = self.cargo(&[
                    "test",
                    "--quiet",
                    "--package",
                    "browser",
                    "--",
                    test,
                    "--exact",
                ]);
                if let Some(page) = page {
                    command.env("BOOK_PAGE", page);
                }
                command
            }
        };
        self.in_copy(&mut command)
            .output()
            .with_context(|| format!("cannot start {check:?}"))
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(runs::cargo());
        command.args(arguments);
        self.in_copy(&mut command);
        command
    }

    /// A command as a reader would start it in the copy.
    fn in_copy<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .current_dir(self.copy.root())
            .env("CARGO", runs::cargo())
            .env("CARGO_TARGET_DIR", self.copy.target())
            .env("CARGO_NET_OFFLINE", "true")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
    }
}

/// What a check that ended so, and said so, made of a breakage.
fn judged(passed: bool, told: String, breakage: &Breakage) -> Outcome {
    if passed {
        return Outcome::Unnoticed;
    }
    let place = told.lines().find(|line| names(line, &breakage.place));
    match place {
        Some(line) if told.contains(&breakage.says) => Outcome::Caught(line.trim().to_owned()),
        _ => Outcome::Unclear(told),
    }
}

/// Whether a line names a place. `a.md:1` is not named by `a.md:12`.
fn names(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let after = line[at + place.len()..].chars().next();
        !after.is_some_and(|c| c.is_ascii_digit())
    })
}

fn told(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_check_s_own_words_and_the_place_count_as_caught() {
        let breakage = Breakage {
            promise: 3,
            what: String::new(),
            edits: Vec::new(),
            check: Check::test("outputs"),
            place: "src/a.md:3".into(),
            says: "prints something else".into(),
        };
        let judge = |passed, told: &str| judged(passed, told.to_owned(), &breakage);
        let said = "FAILED\nsrc/a.md:3: it prints something else\n";
        assert_eq!(
            judge(false, said),
            Outcome::Caught("src/a.md:3: it prints something else".into())
        );
        assert_eq!(judge(true, said), Outcome::Unnoticed);
        for elsewhere in [
            "src/a.md:3: does not compile",
            "src/a.md:4: it prints something else",
            "",
        ] {
            assert_eq!(judge(false, elsewhere), Outcome::Unclear(elsewhere.into()));
        }
    }

    #[test]
    fn a_place_is_named_by_its_whole_line_number() {
        assert!(names("src/a.md:1: wrong", "src/a.md:1"));
        assert!(names("see src/a.md:12, src/a.md:1", "src/a.md:1"));
        assert!(!names("src/a.md:12: wrong", "src/a.md:1"));
    }
}
