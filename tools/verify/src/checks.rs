//! What must hold between the pages and the listings: nothing missing, nothing left over, and what a
//! page shows is what its program is.
//!
//! Each check returns what it found wrong; none of it is found where the book is sound.

use crate::blocks::{Origin, rust_blocks};
use anyhow::{Context, Result};
use model::listing::{ListingName, Source};
use model::problem::Problem;
use model::project::Project;
use render::site::Page;
use model::uses::{self, Use};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What a shown part may take, in lines: a screen.
pub const SCREEN: usize = 40;

/// Listings, programs that must not compile, outputs and anchors that no page shows, and shown parts
/// that do not fit a screen.
///
/// # Errors
///
/// A listing cannot be read.
pub fn unshown(project: &Project) -> Result<Vec<Problem>> {
    let used = uses::all(project);
    let mut problems = Vec::new();
    for name in project.listings()? {
        check_cuts(
            project,
            &used,
            &name,
            &name.source(),
            "listing",
            &mut problems,
        )?;
        let shows_output = |u: &Use| u.directive == "output" && u.argument == name.to_string();
        if project.has(&name.output()) && !used.iter().any(shows_output) {
            problems.push(Problem::of(
                name.output(),
                format!("no page shows it; add {{{{#output {name}}}}}"),
            ));
        }
    }
    for name in project.compile_fail_programs()? {
        check_cuts(
            project,
            &used,
            &name,
            &name.compile_fail(),
            "compile_fail",
            &mut problems,
        )?;
    }
    for name in project.unstable_programs()? {
        check_cuts(
            project,
            &used,
            &name,
            &name.unstable(),
            "unstable",
            &mut problems,
        )?;
        let shows_output = |u: &Use| u.directive == "output" && u.argument == name.to_string();
        if !used.iter().any(shows_output) {
            problems.push(Problem::of(
                name.unstable_output(),
                format!("no page shows it; add {{{{#output {name}}}}}"),
            ));
        }
    }
    Ok(problems)
}

fn check_cuts(
    project: &Project,
    used: &[Use],
    name: &ListingName,
    file: &str,
    directive: &str,
    problems: &mut Vec<Problem>,
) -> Result<()> {
    let mut cuts = BTreeSet::new();
    for used in used.iter().filter(|used| used.directive == directive) {
        let (listing, anchor) = match used.argument.split_once(':') {
            Some((listing, anchor)) => (listing, Some(anchor)),
            None => (used.argument.as_str(), None),
        };
        if listing == name.to_string() {
            cuts.insert(anchor);
        }
    }
    if cuts.is_empty() {
        let message =
            format!("no page shows it; add {{{{#{directive} {name}}}}} to one, or remove it");
        problems.push(Problem::of(file, message));
        return Ok(());
    }
    let text = project.read(file)?;
    let Ok(source) = Source::parse(&text) else {
        // The page that shows it does not build, and says why.
        return Ok(());
    };
    for (anchor, line) in source.anchor_lines() {
        if !cuts.contains(&Some(anchor)) {
            problems.push(Problem::at(
                file,
                line,
                format!("no page shows the anchor `{anchor}`"),
            ));
        }
    }
    for cut in cuts {
        let lines = source.cut(cut).unwrap_or_default();
        let shown = lines.iter().filter(|line| line.shown).count();
        if shown > SCREEN {
            let what = cut.map_or("the program".to_owned(), |anchor| {
                format!("anchor `{anchor}`")
            });
            problems.push(Problem::of(
                file,
                format!("{what} shows {shown} lines, and {SCREEN} fit a screen; show less of it"),
            ));
        }
    }
    Ok(())
}

/// Programs that share their name with another one.
///
/// # Errors
///
/// A folder cannot be read.
pub fn shared_names(project: &Project) -> Result<Vec<Problem>> {
    let mut by_name: BTreeMap<String, ListingName> = BTreeMap::new();
    let mut problems = Vec::new();
    let listings = project
        .listings()?
        .into_iter()
        .map(|name| (name.source(), name));
    let programs = project
        .compile_fail_programs()?
        .into_iter()
        .map(|name| (name.compile_fail(), name));
    let unstable = project
        .unstable_programs()?
        .into_iter()
        .map(|name| (name.unstable(), name));
    for (file, name) in listings.chain(programs).chain(unstable) {
        let command = format!("cargo run --bin {}", name.name);
        if let Some(other) = by_name.insert(name.name.clone(), name) {
            problems.push(Problem::of(
                file,
                format!(
                    "`{other}` has the same name, and `{command}` must mean one program; rename it"
                ),
            ));
        }
    }
    Ok(problems)
}

/// Compares every block of Rust in the built site with the program that it stands for, and counts: as
/// many blocks as directives, on every page.
///
/// # Errors
///
/// A built page cannot be read.
pub fn altered_programs(project: &Project, site: &Path, pages: &[Page]) -> Result<Vec<Problem>> {
    let used = uses::all(project);
    let mut problems = Vec::new();
    for page in pages {
        let html = fs::read_to_string(site.join(&page.html))
            .with_context(|| format!("cannot read the built page {}", page.html.display()))?;
        let blocks = rust_blocks(&html);
        let directives: Vec<_> = used
            .iter()
            .filter(|u| {
                u.page == page.source
                    && matches!(&*u.directive, "listing" | "compile_fail" | "unstable")
            })
            .collect();
        if blocks.len() != directives.len() {
            let message = format!(
                "readers see {} blocks of Rust here, but {} directives put programs on this page",
                blocks.len(),
                directives.len()
            );
            problems.push(Problem::of(&page.source, message));
            continue;
        }
        for (block, used) in blocks.iter().zip(directives) {
            let file = match &block.origin {
                Some(Origin::Listing(name)) => ListingName::parse(name).map(|name| name.source()),
                Some(Origin::CompileFail(name)) => {
                    ListingName::parse(name).map(|name| name.compile_fail())
                }
                Some(Origin::Unstable(name)) => {
                    ListingName::parse(name).map(|name| name.unstable())
                }
                None => Err("no directive made this block of Rust".to_owned()),
            };
            let text =
                file.and_then(|file| project.read(&file).map_err(|problem| problem.to_string()));
            let message = match text {
                Ok(text) if is_program(&text, &block.program) => continue,
                Ok(_) => "what a reader gets here is not the program's text".to_owned(),
                Err(message) => message,
            };
            problems.push(Problem::at(&page.source, used.line, message));
        }
    }
    Ok(problems)
}

/// Whether a block holds the program of a listing's text.
fn is_program(text: &str, block: &str) -> bool {
    Source::parse(text).is_ok_and(|source| {
        let whole = [source.program(), source.program_without_tests()];
        whole
            .iter()
            .any(|program| program.trim_end() == block.trim_end())
    })
}
