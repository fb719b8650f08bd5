//! Checks between the pages and the programs: nothing is missing, nothing is left over, and a page shows exactly
//! what its program is.
//!
//! Each check returns the problems it found: none if the book is sound.

use crate::blocks::{Origin, RustBlock, rust_blocks};
use crate::programs::{self, Program};
use crate::{built_page, failed};
use model::crate_file::CrateFile;
use model::directive::{Directive, Placed};
use model::problem::Problem;
use model::program::{ProgramId, ProgramKind};
use model::project::Project;
use model::source::Source;
use model::uses;
use render::site::Page;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// How many lines fit a screen: the most that a page may show of a program at a time.
pub const SCREEN: usize = 40;

/// Programs, outputs, and anchors that no page shows, and excerpts that don't fit a screen.
///
/// # Errors
///
/// A program can't be read.
pub fn unshown(project: &Project) -> Result<Vec<Problem>, Problem> {
    let pages = uses::pages(project);
    let directives = pages.iter().flat_map(|page| &page.directives);
    let mut anchors: BTreeMap<(ProgramKind, &ProgramId), BTreeSet<Option<&str>>> = BTreeMap::new();
    let mut outputs = BTreeSet::new();
    for directive in directives {
        match &directive.directive {
            Ok(Directive::Program(kind, shown)) => {
                let anchors = anchors.entry((*kind, &shown.id)).or_default();
                anchors.insert(shown.anchor.as_deref());
            }
            Ok(Directive::Output(id)) => drop(outputs.insert(id)),
            _ => {}
        }
    }
    let mut problems = Vec::new();
    for Program {
        id,
        kind,
        file,
        records,
    } in &programs::all(project)?
    {
        if let Some(anchors) = anchors.get(&(*kind, id)) {
            excerpts(project, file, anchors, &mut problems)?;
        } else {
            let directive = match kind {
                ProgramKind::Listing => "listing",
                ProgramKind::CompileFail => "compile_fail",
                ProgramKind::Unstable => "unstable",
            };
            let message =
                format!("no page shows it; add {{{{#{directive} {id}}}}} to one, or remove it");
            problems.push(Problem::of(file, message));
        }
        if let Some(output) = records
            .iter()
            .find(|file| file.ends_with(".postgresql.out") && !project.has(file))
        {
            let message = format!(
                "is missing: the listing reads DATABASE_URL, so a page shows what it prints on PostgreSQL; set the variable, and `cargo book bless {id}` writes the file"
            );
            problems.push(Problem::of(output, message));
        }
        let output = records.iter().find(|file| file.ends_with(".out"));
        if let Some(output) = output.filter(|file| project.has(file) && !outputs.contains(id)) {
            let message = format!("no page shows it; add {{{{#output {id}}}}}");
            problems.push(Problem::of(output, message));
        }
    }
    problems.extend(unshown_in_crates(project)?);
    Ok(problems)
}

/// Anchors in the files of crates that aren't parts that no page shows, and excerpts that don't fit a screen.
fn unshown_in_crates(project: &Project) -> Result<Vec<Problem>, Problem> {
    let used = uses::crate_files(project);
    let mut problems = Vec::new();
    for file in project.source_files().map_err(failed("listings"))? {
        let shown = used.iter().filter(|it| it.file() == file);
        let anchors: BTreeSet<_> = shown.map(|it| it.anchor.as_deref()).collect();
        // Of a file that a page shows, the page says so.
        if anchors.is_empty()
            && let Err(error) = Source::parse(&project.read(&file)?)
        {
            problems.push(Problem {
                file: (&file).into(),
                line: error.line,
                message: error.message,
            });
        }
        excerpts(project, &file, &anchors, &mut problems)?;
    }
    Ok(problems)
}

/// Anchors of a program that aren't among those that pages show, and excerpts that are too long.
fn excerpts(
    project: &Project,
    file: &str,
    shown: &BTreeSet<Option<&str>>,
    problems: &mut Vec<Problem>,
) -> Result<(), Problem> {
    let text = project.read(file)?;
    let Ok(source) = Source::parse(&text) else {
        // The page that shows it doesn't build, and that error says why.
        return Ok(());
    };
    let unshown = source
        .anchor_lines()
        .filter(|(anchor, _)| !shown.contains(&Some(*anchor)));
    problems.extend(unshown.map(|(anchor, line)| {
        Problem::at(file, line, format!("no page shows the anchor `{anchor}`"))
    }));
    for anchor in shown {
        // An anchor that doesn't exist is an error of the page.
        let Ok(lines) = source.cut(*anchor) else {
            continue;
        };
        let length = lines.iter().filter(|line| line.shown).count();
        if length > SCREEN {
            let what = anchor.map_or("the program".to_owned(), |name| format!("anchor `{name}`"));
            let message =
                format!("{what} shows {length} lines, and {SCREEN} fit a screen; show less of it");
            problems.push(Problem::of(file, message));
        }
    }
    Ok(())
}

/// Programs that share their name with another one.
///
/// # Errors
///
/// A folder can't be read.
pub fn duplicate_names(project: &Project) -> Result<Vec<Problem>, Problem> {
    let mut by_name: BTreeMap<String, ProgramId> = BTreeMap::new();
    let mut problems = Vec::new();
    for program in programs::all(project)? {
        let command = format!("cargo run --bin {}", program.id.name);
        if let Some(other) = by_name.insert(program.id.name.clone(), program.id) {
            let message = format!(
                "`{other}` has the same name, and `{command}` must mean one program; rename it"
            );
            problems.push(Problem::of(program.file, message));
        }
    }
    Ok(problems)
}

/// Blocks of Rust in the built site that differ from their program, and pages with more or fewer blocks than
/// directives.
///
/// # Errors
///
/// A built page can't be read.
pub fn altered_programs(
    project: &Project,
    site: &Path,
    pages: &[Page],
) -> Result<Vec<Problem>, Problem> {
    let mut problems = Vec::new();
    for page in pages {
        let blocks = rust_blocks(&built_page(site, page)?);
        let sources = uses::pages(project);
        let source = sources.iter().find(|source| source.file == page.source);
        let directives = source.iter().flat_map(|page| &page.directives);
        let shows_rust = |it: &&Placed| it.directive.as_ref().is_ok_and(Directive::is_rust);
        let directives: Vec<_> = directives.filter(shows_rust).collect();
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
            let message = match is_as_in_its_file(project, block) {
                Ok(true) => continue,
                Ok(false) => "this block isn't the program's text".to_owned(),
                Err(message) => message,
            };
            problems.push(Problem::at(&page.source, used.line, message));
        }
    }
    Ok(problems)
}

/// Whether a block is what its directive names.
fn is_as_in_its_file(project: &Project, block: &RustBlock) -> Result<bool, String> {
    let (name, kind) = match &block.origin {
        Some(Origin::Listing(name)) => (name, ProgramKind::Listing),
        Some(Origin::CompileFail(name)) => (name, ProgramKind::CompileFail),
        Some(Origin::Unstable(name)) => (name, ProgramKind::Unstable),
        Some(Origin::Source(name)) => {
            let shown = CrateFile::parse(name)?.shown(project)?;
            return Ok(shown.text.trim_end() == block.program.trim_end());
        }
        None => return Err("no directive made this block of Rust".to_owned()),
    };
    let file = ProgramId::parse(name)?.file(kind);
    // The message names this file; the problem itself is at the directive.
    let text = project.read(&file).map_err(|problem| problem.to_string())?;
    Ok(is_of_program(&text, &block.program, block.is_excerpt))
}

/// Whether what a page holds is a listing's program, with its tests or without them, or an excerpt of it.
pub fn is_of_program(listing: &str, shown: &str, is_excerpt: bool) -> bool {
    Source::parse(listing).is_ok_and(|source| {
        let programs = [source.program(), source.program_without_tests()];
        let lines = format!("\n{}\n", shown.trim_matches('\n'));
        programs.iter().any(|program| match is_excerpt {
            true => format!("\n{program}").contains(&lines),
            false => program.trim() == shown.trim(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_the_program_or_a_marked_excerpt_of_it() {
        let text = "//! A\nfn main() {\n    // ANCHOR: x\n    let a = 1;\n    let b = 2;\n    // ANCHOR_END: x\n}\n";
        let is_of = |shown: &str, is_excerpt| is_of_program(text, shown, is_excerpt);
        assert!(is_of(
            "//! A\nfn main() {\n    let a = 1;\n    let b = 2;\n}\n",
            false
        ));
        assert!(is_of("    let a = 1;\n    let b = 2;\n", true));
        assert!(
            !is_of("    let a = 1;\n    let b = 2;\n", false),
            "not marked"
        );
        for altered in [
            "    let a = 1;\n    let b = 3;\n",
            "    let a = 1",
            "let b = 2;\n    let a = 1;\n",
        ] {
            assert!(!is_of(altered, true), "{altered}");
        }
    }
}
