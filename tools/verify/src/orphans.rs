//! Orphans: pages, pictures, and files among the listings that nothing refers to.

use crate::{failed, links, programs};
use model::api;
use model::hazards::Declarations;
use model::problem::Problem;
use model::project::Project;
use model::{provenance, uses};
use render::site::Page;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Pages below `src/` that aren't in the table of contents.
pub fn pages(project: &Project, pages: &[Page]) -> Vec<Problem> {
    let listed: BTreeSet<&str> = pages.iter().map(|page| page.source.as_str()).collect();
    uses::pages_below(project, "src")
        .into_iter()
        .filter(|page| page != "src/SUMMARY.md" && !listed.contains(page.as_str()))
        .map(|page| Problem::of(page, "isn't in src/SUMMARY.md, so no reader finds it"))
        .collect()
}

/// Pictures and other files below a folder that none of the documents links to, and scripts that no script of the
/// theme loads.
///
/// # Errors
///
/// A document or a folder can't be read.
pub fn unlinked_files(
    project: &Project,
    folder: &str,
    documents: &[String],
) -> Result<Vec<Problem>, Problem> {
    let mut linked = BTreeSet::new();
    for document in documents {
        linked.extend(links::targets(document, &project.read(document)?));
    }
    let mut scripts = String::new();
    for file in files_below(project, "theme")? {
        if file.ends_with(".js") {
            scripts.push_str(&project.read(&file)?);
        }
    }
    let is_loaded =
        |file: &str| file.ends_with(".js") && scripts.contains(&file[folder.len() + 1..]);
    let unlinked = files_below(project, folder)?
        .into_iter()
        .filter(|file| !file.ends_with(".md"))
        .filter(|file| !linked.contains(Path::new(file)) && !is_loaded(file));
    let message = "nothing links to it; link to it, or remove it";
    Ok(unlinked.map(|file| Problem::of(file, message)).collect())
}

/// Files of the theme that neither book.toml names nor mdBook looks for.
///
/// # Errors
///
/// book.toml or a folder can't be read.
pub fn unused_theme(project: &Project) -> Result<Vec<Problem>, Problem> {
    let config = project.read("book.toml")?;
    let unused = files_below(project, "theme")?.into_iter().filter(|file| {
        let below = file.trim_start_matches("theme/");
        // What mdBook looks for, and what documents the theme.
        let starts = ["css/", "fonts/", "favicon.", "highlight.", "LICENSE"];
        let is_stock = starts.iter().any(|start| below.starts_with(start))
            || below.ends_with(".hbs")
            || ["book.js", "README.md"].contains(&below);
        !is_stock && !config.contains(&format!("\"{file}\""))
    });
    let message =
        "book.toml doesn't name it, so no page loads it; add it to additional-css or additional-js";
    Ok(unused.map(|file| Problem::of(file, message)).collect())
}

/// Files among the listings that belong to no program.
///
/// # Errors
///
/// A folder can't be read.
pub fn listing_files(project: &Project) -> Result<Vec<Problem>, Problem> {
    let mut expected: BTreeSet<String> = [
        api::MAP,
        api::SCOPE,
        provenance::COMPILER,
        "listings/api-redirects.toml",
        "listings/fixes.toml",
        "listings/rustfmt.toml",
        "listings/weakenings.toml",
        "listings/concepts/cancel_safety.toml",
    ]
    .map(str::to_owned)
    .into();
    for part in project.parts().map_err(failed("listings"))? {
        expected.insert(format!("listings/{part}/Cargo.toml"));
        expected.insert(format!("listings/{part}/unstable/Cargo.toml"));
        expected.insert(Declarations::file(&part));
    }
    for program in programs::all(project)? {
        expected.insert(program.file);
        expected.extend(program.records);
    }
    let orphans = files_below(project, "listings")?
        .into_iter()
        .filter(|file| {
            // model::cancel_safety compares these tests with the table.
            !expected.contains(file) && !file.starts_with("listings/concepts/tests/cancel_safety/")
        });
    let message = "belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, \
                   and unstable, with their records beside them";
    Ok(orphans.map(|file| Problem::of(file, message)).collect())
}

/// All files below a folder, relative to the root with forward slashes, sorted; none if there's no such folder.
pub(crate) fn files_below(project: &Project, folder: &str) -> Result<Vec<String>, Problem> {
    let path = project.root().join(folder);
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |error| Problem::of(folder, format!("cannot read the folder: {error}"));
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let below = format!("{folder}/{}", entry.file_name().to_string_lossy());
        // Symbolic links aren't followed: they may lead in a circle.
        if entry.file_type().map_err(failed)?.is_dir() {
            files.extend(files_below(project, &below)?);
        } else {
            files.push(below);
        }
    }
    files.sort();
    Ok(files)
}
