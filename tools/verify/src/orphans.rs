//! Orphans: pages, pictures, and files among the listings that nothing refers to.

use crate::{failed, links, programs};
use model::api;
use model::hazards::Declarations;
use model::problem::Problem;
use model::project::Project;
use model::{provenance, uses};
use render::site::Page;
use std::collections::BTreeSet;
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
    for file in project.files_below("theme")? {
        if file.ends_with(".js") {
            scripts.push_str(&project.read(&file)?);
        }
    }
    let is_loaded =
        |file: &str| file.ends_with(".js") && scripts.contains(&file[folder.len() + 1..]);
    let unlinked = project
        .files_below(folder)?
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
    let unused = project.files_below("theme")?.into_iter().filter(|file| {
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
    for name in project.source_crates().map_err(failed("listings"))? {
        expected.extend(of_source_crate(project, &name)?);
    }
    let orphans = project.files_below("listings")?.into_iter().filter(|file| {
        // model::cancel_safety compares these tests with the table.
        !expected.contains(file) && !file.starts_with("listings/concepts/tests/cancel_safety/")
    });
    let message = "belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, \
                   and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows";
    Ok(orphans.map(|file| Problem::of(file, message)).collect())
}

/// The files of a crate that isn't a part which belong to it: Cargo compiles them, its code names them or their folder, or a
/// page shows them.
fn of_source_crate(project: &Project, name: &str) -> Result<Vec<String>, Problem> {
    let folder = format!("listings/{name}/");
    let files = project.files_below(folder.trim_end_matches('/'))?;
    let mut code = String::new();
    for file in files.iter().filter(|file| file.ends_with(".rs")) {
        code.push_str(&project.read(file)?);
    }
    let shown = uses::crate_files(project);
    let is_named = |file: &str| {
        let mut names = file[folder.len()..].split('/');
        names.any(|name| !CODE_FOLDERS.contains(&name) && code.contains(name))
    };
    let belongs = |file: &String| {
        let is_cargos = file.ends_with(".rs") || *file == format!("{folder}Cargo.toml");
        is_cargos || shown.iter().any(|it| it.file() == *file) || is_named(file)
    };
    Ok(files.into_iter().filter(belongs).collect())
}

/// Folders in which Cargo looks for code.
const CODE_FOLDERS: [&str; 4] = ["benches", "examples", "src", "tests"];
