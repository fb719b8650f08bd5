//! Whether something came in the version that a page tells, by the crate's own list of changes.

use anyhow::{Context, Result};
use model::problem::Problem;
use model::project::Project;
use model::since::Since;
use model::{lock, sources, uses};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// What a page tells of a version that the list of changes does not.
    pub untrue: Vec<Problem>,
    /// Lists of changes that are not on this machine, each with what installs it: of these, nothing was looked at.
    pub missing: BTreeSet<String>,
}

/// Compares what pages tell of versions with the lists of changes.
///
/// # Errors
///
/// Cargo or rustc cannot be asked where the lists are.
pub fn compare(project: &Project) -> Result<Found> {
    let mut lists: BTreeMap<String, List> = BTreeMap::new();
    let mut found = Found::default();
    for used in uses::all(project) {
        if used.directive != "since" {
            continue;
        }
        // One that says nothing is told where its page is expanded.
        let Ok(since) = Since::parse(&used.argument) else {
            continue;
        };
        if !lists.contains_key(&since.package) {
            let list = list_of(project, &since.package)?;
            lists.insert(since.package.clone(), list);
        }
        let told = match &lists[&since.package] {
            List::Is(changes) => changes.check(&since),
            List::None(why) => Err(why.clone()),
            List::NotInstalled(why) => {
                found.missing.insert(why.clone());
                continue;
            }
        };
        if let Err(message) = told {
            let problem = Problem::at(&used.page, used.line, message);
            found.untrue.push(problem);
        }
    }
    Ok(found)
}

/// The list of changes of a crate.
enum List {
    Is(Changes),
    /// The crate has none, with where it would be.
    None(String),
    /// It is a part of Rust that need not be installed, with what installs it.
    NotInstalled(String),
}

fn list_of(project: &Project, package: &str) -> Result<List> {
    let file = match package {
        lock::RUST => rust_docs()?.join("releases.html"),
        package => sources::folders(project)?
            .remove(package)
            .unwrap_or_default()
            .join("CHANGELOG.md"),
    };
    let place = file.display();
    Ok(match fs::read_to_string(&file) {
        Ok(text) => List::Is(Changes::read(&text)),
        Err(_) if package == lock::RUST => List::NotInstalled(format!(
            "{place} is not there, so nothing tells what came in which version of Rust; `rustup component add \
             rust-docs` installs it"
        )),
        Err(_) => List::None(format!("`{package}` has no list of changes ({place})")),
    })
}

fn rust_docs() -> Result<PathBuf> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .output()
        .context("cannot start rustc")?;
    let sysroot = String::from_utf8_lossy(&output.stdout);
    Ok(Path::new(sysroot.trim()).join("share/doc/rust/html"))
}

/// What each version brought, in the words of the crate.
struct Changes(BTreeMap<String, String>);

impl Changes {
    /// Reads `# 1.21.0 (September 2, 2022)`, and `Version 1.75.0 (2023-12-28)` between tags, with what follows.
    fn read(text: &str) -> Self {
        static HEADING: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?m)^(?:#+ v?|.*>Version )(\d+\.\d+\.\d+)\b")
                .expect("a constant expression")
        });
        let starts: Vec<_> = HEADING.captures_iter(text).collect();
        let mut changes = BTreeMap::new();
        for (at, start) in starts.iter().enumerate() {
            let from = start.get(0).map_or(0, |it| it.end());
            let to = starts
                .get(at + 1)
                .and_then(|next| next.get(0))
                .map_or(text.len(), |it| it.start());
            changes.insert(start[1].to_owned(), text[from..to].to_owned());
        }
        Self(changes)
    }

    fn check(&self, since: &Since) -> Result<(), String> {
        let Since {
            package,
            version,
            words,
        } = since;
        let Some(changes) = self.0.get(version) else {
            return Err(format!(
                "`{package}` has no version {version} in its list of changes"
            ));
        };
        if changes.contains(words.as_str()) {
            return Ok(());
        }
        let others: Vec<_> = self
            .0
            .iter()
            .filter(|(_, changes)| changes.contains(words.as_str()))
            .map(|(version, _)| version.as_str())
            .collect();
        let others = match others.as_slice() {
            [] => "in no other version either".to_owned(),
            others => format!("but in {}", others.join(", ")),
        };
        Err(format!(
            "the list of changes of `{package}` does not have `{words}` in {version}, {others}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(argument: &str) -> Since {
        Since::parse(argument).expect("it says all")
    }

    #[test]
    fn what_came_in_another_version_is_told_with_that_one() {
        let changes = Changes::read(
            "# 1.21.0 (September 2, 2022)\n\n- `JoinSet` is stable\n\n# 1.17.0\n\n- unstable `JoinSet`\n- a\n",
        );
        assert_eq!(changes.check(&since("tokio 1.21.0 JoinSet")), Ok(()));
        assert_eq!(
            changes.check(&since("tokio 1.21.0 unstable")),
            Err(
                "the list of changes of `tokio` does not have `unstable` in 1.21.0, but in 1.17.0"
                    .into()
            )
        );
        assert_eq!(
            changes.check(&since("tokio 1.21.0 JoinMap")),
            Err("the list of changes of `tokio` does not have `JoinMap` in 1.21.0, in no other version either".into())
        );
        assert_eq!(
            changes.check(&since("tokio 1.22.0 JoinSet")),
            Err("`tokio` has no version 1.22.0 in its list of changes".into())
        );
    }

    #[test]
    fn the_list_of_rust_is_a_page() {
        let changes = Changes::read(
            "<h1 id=\"a\"><a href=\"#a\">Version 1.80.0 (2024-07-25)</a></h1>\n<li>LazyLock</li>\n\
             <h1><a>Version 1.79.0 (2024-06-13)</a></h1>\n<li>b</li>\n",
        );
        assert_eq!(changes.check(&since("rust 1.80.0 LazyLock")), Ok(()));
        assert!(changes.check(&since("rust 1.79.0 LazyLock")).is_err());
    }
}
