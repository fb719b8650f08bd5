//! With what the book was verified: compiler, crates, commit.

use crate::lock;
use crate::problem::Problem;
use crate::project::Project;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

/// The file that names the compiler whose messages the book shows, relative to the book's root.
pub const COMPILER: &str = "listings/compiler-messages-by.txt";

/// The version of the compiler that wrote the book's compiler messages: `1.95.0`; where nobody wrote one
/// yet, the version that Cargo.toml asks for.
///
/// # Errors
///
/// A file cannot be read.
pub fn compiler(project: &Project) -> Result<String, Problem> {
    if project.has(COMPILER) {
        let text = project.read(COMPILER)?;
        if let Some(version) = text.split_whitespace().nth(1) {
            return Ok(version.to_owned());
        }
    }
    lock::version(project, "rust")
}

/// The commit that the book's folder is at, and whether anything was changed since; none where the folder
/// is not a git repository of its own.
pub fn commit(project: &Project) -> Option<Commit> {
    let changed = git(project, &["status", "--porcelain", "--untracked-files=no"])?;
    Some(Commit {
        name: git(project, &["rev-parse", "--short=10", "HEAD"])?
            .trim()
            .to_owned(),
        is_changed: !changed.is_empty(),
    })
}

/// What git says in the book's folder; nothing where that is no repository of its own, or git fails.
pub fn git(project: &Project, arguments: &[&str]) -> Option<String> {
    if !project.root().join(".git").exists() {
        return None;
    }
    let output = Command::new("git")
        .args(arguments)
        .current_dir(project.root())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

/// A commit of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The start of its hash.
    pub name: String,
    /// Whether the files are others than the commit's.
    pub is_changed: bool,
}

impl Commit {
    /// The commit in words: `at commit 1a2b3c4d5e`.
    pub fn in_words(&self) -> String {
        let later = if self.is_changed {
            " and later changes"
        } else {
            ""
        };
        format!("at commit {}{later}", self.name)
    }
}

/// A table of the crates that the listings depend on, in the versions that Cargo.lock holds.
///
/// # Errors
///
/// A manifest or Cargo.lock cannot be read.
pub fn versions(project: &Project) -> Result<String, Problem> {
    let parts = project
        .parts()
        .map_err(|error| Problem::of("listings", format!("{error:#}")))?;
    let mut versions = BTreeMap::new();
    for part in parts {
        let file = format!("listings/{part}/Cargo.toml");
        let manifest: toml::Table = toml::from_str(&project.read(&file)?)
            .map_err(|error| Problem::of(&file, format!("is not a manifest: {error}")))?;
        let names = manifest.get("dependencies").and_then(toml::Value::as_table);
        for name in names.into_iter().flat_map(|table| table.keys()) {
            versions.insert(name.clone(), lock::version(project, name)?);
        }
    }
    let mut table = String::from("| Crate | Version |\n|---|---|\n");
    let _ = writeln!(table, "| Rust | {} |", compiler(project)?);
    for (name, version) in versions {
        let _ = writeln!(table, "| {name} | {version} |");
    }
    Ok(table)
}

/// The page that tells how the book is verified, relative to `src/`.
pub const PAGE: &str = "verified.md";

/// The line at the end of every page of a book that has [`PAGE`], for a page at this path below `src/`.
///
/// # Errors
///
/// A file cannot be read.
pub fn line(project: &Project, commit: Option<&Commit>, page: &str) -> Result<String, Problem> {
    let up = "../".repeat(page.matches('/').count());
    let tokio = match lock::version(project, "tokio") {
        Ok(version) => format!("Tokio {version} and "),
        // A book without it.
        Err(_) => String::new(),
    };
    let commit = commit.map_or(String::new(), |commit| format!(", {}", commit.in_words()));
    Ok(format!(
        "\n\n<p class=\"verified\"><a href=\"{up}verified.html\">Verified</a> with {tokio}Rust {rust}{commit}.</p>\n",
        rust = compiler(project)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn the_line_names_versions_and_commit_and_leads_to_the_page() {
        let book = Scratch::sound();
        book.write(COMPILER, "rustc 1.95.0 (59807616e 2026-04-14)\n");
        let project = Project::open(book.root()).expect("a book");
        let commit = Commit {
            name: "1a2b3c".to_owned(),
            is_changed: true,
        };
        let text = line(&project, Some(&commit), "tasks/deep/waiting.md").expect("a line");
        assert!(
            text.contains(
                "<a href=\"../../verified.html\">Verified</a> with Rust 1.95.0, at commit 1a2b3c and later changes."
            ),
            "{text}"
        );
        assert_eq!(super::commit(&project), None);
    }
}
