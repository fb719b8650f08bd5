//! With what the book was verified: the line below each page, and the table of versions.

use model::lock;
use model::provenance::{Commit, compiler};
use model::{Problem, Project};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A table of the crates that the listings depend on, in the versions that Cargo.lock holds.
///
/// # Errors
///
/// A manifest or Cargo.lock cannot be read.
pub fn versions(project: &Project) -> Result<String, Problem> {
    let crates = project
        .crates()
        .map_err(|error| Problem::of("listings", format!("{error:#}")))?;
    let mut versions = BTreeMap::new();
    for name in crates {
        let file = format!("listings/{name}/Cargo.toml");
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
    use model::provenance::COMPILER;
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
        assert_eq!(model::provenance::commit(&project), None);
    }
}
