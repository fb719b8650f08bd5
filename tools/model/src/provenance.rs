//! With what the book was verified: compiler, crates, commit.

use crate::lock;
use crate::problem::Problem;
use crate::project::Project;
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

/// The page that tells how the book is verified, relative to `src/`.
pub const PAGE: &str = "verified.md";
