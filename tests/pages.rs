//! Promises about the pages: nothing is missing, nothing is left over, nothing leads nowhere, and
//! what a page shows is what its program is.
//!
//! The checks are in `tools/verify`, whose own tests break a small book in each of these ways.

use drift::snapshot::BookSnapshot;
use export::site;
use render::site::Page;
use model::{Problem, Problems, Project, cancel_safety, measured, uses};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::LazyLock;
use verify::{checks, guards, length, links, outside, prose, published, since, strays, tables};

struct Site {
    project: Project,
    folder: &'static Path,
    pages: Vec<Page>,
}

static SITE: LazyLock<Result<Site, String>> = LazyLock::new(|| {
    let folder = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/site"));
    let build = || {
        let project = Project::open(env!("CARGO_MANIFEST_DIR"))?;
        fs::create_dir_all(folder)?;
        let pages = site::build(&project, folder)?.pages;
        anyhow::Ok(Site {
            project,
            folder,
            pages,
        })
    };
    build().map_err(|error| format!("{error:#}"))
});

fn site() -> &'static Site {
    match &*SITE {
        Ok(site) => site,
        Err(problems) => panic!("the book does not build:\n{problems}"),
    }
}

fn demand_none(found: impl Into<Result<Vec<Problem>, anyhow::Error>>) {
    let problems = found.into().expect("the check itself works");
    if let Err(problems) = Problems::none_in(problems) {
        panic!("the book has problems:\n{problems}");
    }
}

/// The documents that are read as they lie in the repository.
fn documents() -> Vec<String> {
    ["README.md", "CONTRIBUTING.md"].map(str::to_owned).into()
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let site = site();
    demand_none(Ok(strays::stray_pages(&site.project, &site.pages)));
}

#[test]
fn every_listing_output_and_anchor_is_shown_on_a_page() {
    demand_none(checks::unshown(&site().project));
}

#[test]
fn nothing_lies_beside_the_listings_that_belongs_to_none() {
    demand_none(strays::stray_files(&site().project));
}

#[test]
fn what_was_measured_is_shown_and_is_what_is_claimed() {
    demand_none(Ok(measured::checks::problems(&site().project)));
}

#[test]
fn every_row_of_the_cancel_safety_table_has_its_run() {
    let found = cancel_safety::problems(&site().project);
    demand_none(found.map_err(anyhow::Error::from));
}

#[test]
fn every_picture_is_shown_and_every_file_of_the_theme_used() {
    let site = site();
    let pages: Vec<String> = uses::pages_below(&site.project, "src");
    demand_none(strays::unlinked_files(&site.project, "src", &pages));
    demand_none(strays::unlinked_files(&site.project, "docs", &documents()));
    demand_none(strays::unused_theme(&site.project));
}

#[test]
fn no_test_of_a_listing_is_switched_off() {
    demand_none(guards::disabled(&site().project));
}

#[test]
fn every_mistake_has_its_fix() {
    let snapshot = BookSnapshot::load(&site().project).expect("the book can be read");
    let mistakes = snapshot.listings.iter().filter(|listing| listing.is_mistake);
    let mistakes = mistakes.chain(&snapshot.compile_fail);
    let fixed = mistakes.map(|program| snapshot.fixed(&program.name, &program.source.text));
    let problems: Vec<_> = fixed.filter_map(Result::err).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn the_name_of_a_listing_is_unique_in_the_book() {
    demand_none(checks::shared_names(&site().project));
}

#[test]
fn a_reader_sees_each_program_whole_and_as_it_is() {
    let site = site();
    demand_none(checks::altered_programs(
        &site.project,
        site.folder,
        &site.pages,
    ));
}

#[test]
fn every_link_inside_the_book_leads_somewhere() {
    let site = site();
    let found = links::broken(&site.project, site.folder, &site.pages);
    demand_none(found.map_err(anyhow::Error::from));
    for document in documents() {
        let found = links::broken_in_document(&site.project, &document);
        demand_none(found.map_err(anyhow::Error::from));
    }
}

#[test]
fn no_page_needs_another_server() {
    let site = site();
    demand_none(outside::needed(&site.project, site.folder, &site.pages));
}

#[test]
fn no_page_takes_longer_than_ten_minutes() {
    let site = site();
    demand_none(length::too_long(&site.project, site.folder, &site.pages));
}

#[test]
fn every_column_of_a_table_has_a_name() {
    let site = site();
    demand_none(tables::nameless_columns(&site.project, &site.pages));
}

#[test]
fn no_version_number_or_code_is_written_by_hand() {
    let project = &site().project;
    demand_none(prose::check(project).map_err(anyhow::Error::from));
    for document in documents() {
        let text = project.read(&document).expect("the document is there");
        let mut found = model::hand_written::hand_written_code(&document, &text);
        found.extend(prose::smuggled_code(&document, &text));
        demand_none(Ok(found));
    }
}

#[test]
fn everything_came_in_the_version_that_a_page_tells() {
    let found = since::compare(&site().project).expect("the lists of changes can be found");
    for missing in found.missing {
        // Past the test harness, which keeps to itself what a passing test prints.
        writeln!(io::stderr(), "not compared: {missing}").expect("standard error takes it");
    }
    demand_none(Ok::<_, anyhow::Error>(found.untrue));
}

#[test]
fn each_message_of_a_table_was_printed() {
    let found = verify::messages::never_printed(&site().project);
    demand_none(found.map_err(anyhow::Error::from));
}

#[test]
fn no_document_names_a_version_that_has_passed() {
    let project = &site().project;
    let version = |name: &str| model::lock::version(project, name).expect("Cargo.lock has it");
    let names = model::lock::direct_dependencies(project).expect("Cargo.lock can be read");
    let mut versions: BTreeMap<String, String> = names
        .into_iter()
        .filter_map(|name| Some((name.clone(), model::lock::version(project, &name).ok()?)))
        .collect();
    versions.insert("rust".to_owned(), version("rust"));
    versions.insert("mdbook".to_owned(), version("mdbook-driver"));
    for document in documents() {
        let text = project.read(&document).expect("the document is there");
        demand_none(Ok(prose::stale_versions(&document, &text, &versions)));
    }
}

#[test]
fn no_published_page_is_gone_without_a_redirect() {
    let site = site();
    let found = published::lost_pages(&site.project, &site.pages);
    demand_none(found.map_err(anyhow::Error::from));
    demand_none(published::forgotten(&site.project).map_err(anyhow::Error::from));
}
