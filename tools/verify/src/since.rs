//! Whether a feature came in the version that a page says, according to the changelog of its crate.

use crate::{failed, regex};
use model::directive::Directive;
use model::problem::Problem;
use model::project::Project;
use model::since::Since;
use model::{lock, sources, uses};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What comparing the pages with the changelogs found.
#[derive(Debug, Default)]
pub struct Report {
    /// Versions on pages that the changelog contradicts.
    pub wrong: Vec<Problem>,
    /// Changelogs that aren't installed on this machine, each with the command that installs it: nothing was
    /// compared with these.
    pub not_installed: BTreeSet<String>,
}

/// Compares the versions on the pages with the changelogs.
///
/// # Errors
///
/// Cargo or rustc can't say where the changelogs are.
pub fn compare(project: &Project) -> Result<Report, Problem> {
    let mut changelogs: BTreeMap<String, Changelog> = BTreeMap::new();
    let mut report = Report::default();
    for used in uses::all(project) {
        // A malformed one is reported when its page is expanded.
        let Some(Directive::Since(since)) = used.parsed else {
            continue;
        };
        if !changelogs.contains_key(&since.package) {
            let changelog = changelog(project, &since.package)?;
            changelogs.insert(since.package.clone(), changelog);
        }
        let result = match &changelogs[&since.package] {
            Changelog::Found(releases) => check(releases, &since),
            Changelog::Missing(why) => Err(why.clone()),
            Changelog::NotInstalled(why) => {
                report.not_installed.insert(why.clone());
                continue;
            }
        };
        let wrong = result.map_err(|message| Problem::at(&used.page, used.line, message));
        report.wrong.extend(wrong.err());
    }
    Ok(report)
}

/// The changelog of a crate.
enum Changelog {
    /// Each version with its changes.
    Found(BTreeMap<String, String>),
    /// The crate has none; the text says where it would be.
    Missing(String),
    /// It's a component of Rust that is optional; the text says how to install it.
    NotInstalled(String),
}

fn changelog(project: &Project, package: &str) -> Result<Changelog, Problem> {
    let file = if package == lock::RUST {
        rust_docs()?.join("releases.html")
    } else {
        let folder = sources::folders(project)
            .map_err(failed("Cargo.lock"))?
            .remove(package);
        match folder {
            Some(folder) => folder.join("CHANGELOG.md"),
            None => return Ok(Changelog::Missing(format!("Cargo.lock has no `{package}`"))),
        }
    };
    let place = file.display();
    Ok(match fs::read_to_string(&file) {
        Ok(text) => Changelog::Found(releases(&text)),
        Err(_) if package == lock::RUST => Changelog::NotInstalled(format!(
            "{place} doesn't exist, so versions of Rust can't be checked; run `rustup component add rust-docs`"
        )),
        Err(error) => {
            Changelog::Missing(format!("`{package}` has no changelog ({place}: {error})"))
        }
    })
}

fn rust_docs() -> Result<PathBuf, Problem> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc).args(["--print", "sysroot"]).output();
    let output =
        output.map_err(|error| Problem::of(rustc, format!("rustc doesn't start: {error}")))?;
    let sysroot = String::from_utf8_lossy(&output.stdout);
    Ok(Path::new(sysroot.trim()).join("share/doc/rust/html"))
}

/// Splits a changelog at headings like `# 1.21.0 (September 2, 2022)` or, in HTML, `Version 1.75.0 (2023-12-28)`.
fn releases(changelog: &str) -> BTreeMap<String, String> {
    let heading = regex(r"(?m)^(?:#+ v?|.*>Version )(\d+\.\d+\.\d+)\b");
    let mut releases = BTreeMap::new();
    let mut end = changelog.len();
    let headings: Vec<_> = heading.captures_iter(changelog).collect();
    for heading in headings.iter().rev() {
        let at = heading.get_match();
        releases.insert(heading[1].to_owned(), changelog[at.end()..end].to_owned());
        end = at.start();
    }
    releases
}

fn check(releases: &BTreeMap<String, String>, since: &Since) -> Result<(), String> {
    let Since {
        package,
        version,
        words,
    } = since;
    let Some(changes) = releases.get(version) else {
        return Err(format!(
            "the changelog of `{package}` has no version {version}"
        ));
    };
    if changes.contains(words) {
        return Ok(());
    }
    let others = releases
        .iter()
        .filter(|(_, changes)| changes.contains(words));
    let others: Vec<_> = others.map(|(version, _)| version.as_str()).collect();
    let hint = match others.as_slice() {
        [] => "in no other version either".to_owned(),
        others => format!("but in {}", others.join(", ")),
    };
    Err(format!(
        "the changelog of `{package}` doesn't have `{words}` in {version}, {hint}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_wrong_version_is_reported_with_the_right_one() {
        let tokio = "# 1.21.0 (September 2, 2022)\n\n- `JoinSet` is stable\n\n# 1.17.0\n\n- unstable `JoinSet`\n- a\n";
        // Rust's changelog is a page of its documentation.
        let rust = "<h1 id=\"a\"><a href=\"#a\">Version 1.80.0 (2024-07-25)</a></h1>\n<li>LazyLock</li>\n\
                    <h1><a>Version 1.79.0 (2024-06-13)</a></h1>\n<li>b</li>\n";
        let found: String = [
            (tokio, "tokio 1.21.0 JoinSet"),
            (rust, "rust 1.80.0 LazyLock"),
            (tokio, "tokio 1.21.0 unstable"),
            (tokio, "tokio 1.21.0 JoinMap"),
            (tokio, "tokio 1.22.0 JoinSet"),
            (rust, "rust 1.79.0 LazyLock"),
        ]
        .iter()
        .filter_map(|(changelog, since)| {
            let since = Since::parse(since).expect("it is complete");
            check(&releases(changelog), &since).err()
        })
        .map(|message| message + "\n")
        .collect();
        expect![[r#"
            the changelog of `tokio` doesn't have `unstable` in 1.21.0, but in 1.17.0
            the changelog of `tokio` doesn't have `JoinMap` in 1.21.0, in no other version either
            the changelog of `tokio` has no version 1.22.0
            the changelog of `rust` doesn't have `LazyLock` in 1.79.0, but in 1.80.0
        "#]]
        .assert_eq(&found);
    }
}
