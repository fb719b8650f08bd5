//! Files that nothing leads to: pages, pictures, and what lies among the listings.

use crate::links;
use anyhow::{Context, Result};
use model::api;
use model::problem::Problem;
use model::project::Project;
use render::site::Page;
use model::{provenance, uses};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Pages below `src/` that the table of contents does not name.
pub fn stray_pages(project: &Project, pages: &[Page]) -> Vec<Problem> {
    let listed: BTreeSet<&str> = pages.iter().map(|page| page.source.as_str()).collect();
    uses::pages_below(project, "src")
        .into_iter()
        .filter(|page| page != "src/SUMMARY.md" && !listed.contains(page.as_str()))
        .map(|page| Problem::of(page, "is not in src/SUMMARY.md, so no reader finds it"))
        .collect()
}

/// Pictures and other files below a folder that none of the documents shows or links to, and scripts that
/// no script of the theme names.
///
/// # Errors
///
/// A document or a folder cannot be read.
pub fn unlinked_files(
    project: &Project,
    folder: &str,
    documents: &[String],
) -> Result<Vec<Problem>> {
    let mut linked = BTreeSet::new();
    for document in documents {
        linked.extend(links::targets(document, &project.read(document)?));
    }
    let is_of_kind =
        |file: &Path, kind: &str| file.extension().is_some_and(|ending| ending == kind);
    let mut loaders = String::new();
    for file in files_below(project.root(), Path::new("theme"))? {
        if is_of_kind(&file, "js") {
            loaders.push_str(&project.read(&slashed(&file))?);
        }
    }
    let is_loaded = |file: &Path| {
        let below = slashed(file.strip_prefix(folder).unwrap_or(file));
        is_of_kind(file, "js") && loaders.contains(&below)
    };
    let files = files_below(project.root(), Path::new(folder))?;
    let unlinked = files
        .into_iter()
        .filter(|file| !is_of_kind(file, "md") && !linked.contains(file) && !is_loaded(file));
    Ok(unlinked
        .map(|file| Problem::of(file, "nothing shows it or links to it; do so, or remove it"))
        .collect())
}

/// Files of the theme that book.toml does not name, and that do not stand in for one of mdBook's own.
///
/// # Errors
///
/// book.toml or a folder cannot be read.
pub fn unused_theme(project: &Project) -> Result<Vec<Problem>> {
    let config = project.read("book.toml")?;
    let files = files_below(project.root(), Path::new("theme"))?;
    let unused = files.into_iter().filter(|file| {
        let name = slashed(file);
        let below = name.trim_start_matches("theme/");
        let is_stock = ["css/", "fonts/", "favicon.", "highlight."]
            .iter()
            .any(|start| below.starts_with(start))
            || below.ends_with(".hbs")
            || below == "book.js"
            // What tells about the others.
            || below == "README.md"
            || below.starts_with("LICENSE");
        !is_stock && !config.contains(&format!("\"{name}\""))
    });
    let message =
        "book.toml does not name it, so no page has it; add it to additional-css or additional-js";
    Ok(unused.map(|file| Problem::of(file, message)).collect())
}

/// Files among the listings that belong to no program.
///
/// # Errors
///
/// A folder cannot be read.
pub fn stray_files(project: &Project) -> Result<Vec<Problem>> {
    let parts: BTreeSet<String> = project.parts()?.into_iter().collect();
    let own = [
        api::MAP,
        api::SCOPE,
        provenance::COMPILER,
        "listings/fixes.toml",
        "listings/rustfmt.toml",
    ];
    let mut problems = Vec::new();
    for file in files_below(project.root(), Path::new("listings"))? {
        let name = slashed(&file);
        let below: Vec<&str> = name.split('/').skip(1).collect();
        let (belongs, expected) = match below.as_slice() {
            [part, "Cargo.toml"] if parts.contains(*part) => (true, ""),
            [part, "src", "bin", _] if parts.contains(*part) => (
                is_of_a_program(project, &file, &["out", "err", "timeline.json"]),
                "*.rs, a *.out and a *.timeline.json for each, and a *.err where it says something on standard error",
            ),
            [part, "compile_fail", _] if parts.contains(*part) => (
                is_of_a_program(project, &file, &["stderr"]),
                "*.rs and a *.stderr for each",
            ),
            [part, "unstable", "Cargo.toml"] if parts.contains(*part) => (true, ""),
            [part, "unstable", _] if parts.contains(*part) => (
                is_of_a_program(project, &file, &["out"]),
                "Cargo.toml, *.rs and a *.out for each",
            ),
            // The cancel-safety table, and what shows its rows; model::cancel_safety sees that they agree.
            ["concepts", "cancel_safety.toml"] | ["concepts", "tests", "cancel_safety", _] => {
                (true, "")
            }
            _ => (
                own.contains(&name.as_str()),
                "Cargo.toml, programs in src/bin, and those that must not compile in compile_fail",
            ),
        };
        if !belongs {
            problems.push(Problem::of(
                file,
                format!("belongs to no program, and nothing verifies it; expected are {expected}"),
            ));
        }
    }
    Ok(problems)
}

/// Whether a file is a program, or what was written of a program beside it.
fn is_of_a_program(project: &Project, file: &Path, endings: &[&str]) -> bool {
    let name = slashed(file);
    let program = endings
        .iter()
        .find_map(|ending| name.strip_suffix(ending)?.strip_suffix('.'));
    name.ends_with(".rs") || program.is_some_and(|program| project.has(&format!("{program}.rs")))
}

/// All files below a folder, relative to the root, sorted; none where there is no such folder.
pub(crate) fn files_below(root: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !root.join(folder).is_dir() {
        return Ok(files);
    }
    let entries = fs::read_dir(root.join(folder))
        .with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        let below = folder.join(entry.file_name());
        // A link to a folder is not followed: it may lead round in a circle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files.extend(files_below(root, &below)?);
        } else {
            files.push(below);
        }
    }
    files.sort();
    Ok(files)
}

fn slashed(file: &Path) -> String {
    file.to_string_lossy().replace('\\', "/")
}
