//! Promises about the pages: nothing is missing, nothing is left over, no link is broken, and a page shows exactly what
//! its program is.
//!
//! The checks are in `tools/verify`, whose own tests break a small book in each of these ways.

use drift::snapshot::BookSnapshot;
use export::site;
use model::{Problem, Project, cancel_safety, lock, measured, uses};
use render::site::Page;
use scratch::assert_no_problems;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::LazyLock;
use verify::*;

struct Site {
    folder: &'static Path,
    pages: Vec<Page>,
}

static PROJECT: LazyLock<Project> =
    LazyLock::new(|| Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is there"));

static SITE: LazyLock<Result<Site, String>> = LazyLock::new(|| {
    let folder = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/site"));
    let build = || {
        fs::create_dir_all(folder)?;
        let pages = site::build(project(), folder)?.rendered;
        anyhow::Ok(Site { folder, pages })
    };
    build().map_err(|error| format!("{error:#}"))
});

/// The built site. Most checks read the sources, and don't wait for it.
fn site() -> &'static Site {
    let site = SITE.as_ref();
    site.unwrap_or_else(|problems| panic!("the book does not build:\n{problems}"))
}

fn project() -> &'static Project {
    &PROJECT
}

/// The project, once its pages are known to build: a directive that can't be expanded is no problem of the checks that read
/// directives.
fn built_project() -> &'static Project {
    site();
    project()
}

/// Documents that are read in the repository, each with its text.
fn documents() -> impl Iterator<Item = (&'static str, String)> {
    ["README.md", "CONTRIBUTING.md"].into_iter().map(|file| {
        let text = project().read(file).expect("the document can be read");
        (file, text)
    })
}

fn found(problems: Vec<Problem>) -> Result<Vec<Problem>, Problem> {
    Ok(problems)
}

/// Tests that find no problem, each with its check.
macro_rules! sound {
    ($($test:ident: $check:expr;)*) => {
        $(#[test] fn $test() { assert_no_problems($check); })*
    };
}

sound! {
    every_page_is_in_the_table_of_contents: found(orphans::pages(project(), &site().pages));
    every_program_output_and_anchor_is_on_a_page: checks::unshown(project());
    every_file_in_listings_belongs_to_a_program: orphans::listing_files(project());
    every_pattern_has_met_its_hazards: hazards::find(project());
    measurements_are_shown_and_meet_their_claims: found(measured::checks::problems(project()));
    every_row_of_the_cancel_safety_table_has_its_run: cancel_safety::problems(project());
    no_test_of_a_listing_is_disabled: disabled_tests::find(project());
    the_name_of_a_listing_is_unique: checks::duplicate_names(project());
    a_page_shows_the_text_of_each_program: checks::altered_programs(project(), site().folder, &site().pages);
    no_page_loads_anything_from_another_server: outside::resources(project(), site().folder, &site().pages);
    no_page_is_too_long: found(length::too_long(project()));
    every_column_of_a_table_has_a_header: found(tables::missing_headers(project()));
    no_sentence_has_a_phrase_to_avoid: style::check(project());
    each_message_of_a_table_was_printed: messages::never_printed(project());
}

#[test]
fn every_picture_and_every_file_of_the_theme_is_used() {
    let pages = uses::pages_below(project(), "src");
    assert_no_problems(orphans::unlinked_files(project(), "src", &pages));
    let documents: Vec<_> = documents().map(|(file, _)| file.to_owned()).collect();
    assert_no_problems(orphans::unlinked_files(project(), "docs", &documents));
    assert_no_problems(orphans::unused_theme(project()));
}

#[test]
fn every_mistake_has_its_fix() {
    let snapshot = BookSnapshot::load(project()).expect("the book can be read");
    let mistakes = snapshot
        .listings
        .iter()
        .filter(|listing| listing.is_mistake);
    let mistakes = mistakes.chain(&snapshot.compile_fail);
    let fixed = mistakes.map(|program| snapshot.fixed(&program.name, &program.source.text));
    let problems: Vec<_> = fixed.filter_map(Result::err).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_weakening_fits_its_program() {
    let snapshot = BookSnapshot::load(project()).expect("the book can be read");
    let stale = snapshot.stale_weakenings();
    assert!(stale.is_empty(), "{stale:#?}");
}

#[test]
fn no_link_is_broken() {
    let site = site();
    assert_no_problems(links::broken(project(), site.folder, &site.pages));
    for (file, _) in documents() {
        assert_no_problems(links::broken_in_document(project(), file));
    }
}

#[test]
fn no_version_number_or_code_is_hand_written() {
    assert_no_problems(prose::check(built_project()));
    for (file, text) in documents() {
        assert_no_problems(found(model::hand_written::hand_written_code(file, &text)));
        assert_no_problems(found(prose::unchecked_code_in_markdown(file, &text)));
    }
}

#[test]
fn every_feature_came_in_the_version_that_a_page_says() {
    let report = since::compare(project()).expect("the changelogs can be found");
    for missing in report.not_installed {
        // Written past the test harness, which hides what a passing test prints.
        writeln!(io::stderr(), "not compared: {missing}").expect("standard error can be written");
    }
    assert_no_problems(found(report.wrong));
}

#[test]
fn no_document_names_an_outdated_version() {
    let version = |name: &str| lock::version(project(), name).ok();
    let mut names = lock::direct_dependencies(project()).expect("Cargo.lock can be read");
    names.insert(lock::RUST.to_owned());
    let versions = names.into_iter().map(|name| (version(&name), name));
    let mut versions: BTreeMap<_, _> = versions
        .filter_map(|(version, name)| Some((name, version?)))
        .collect();
    versions.extend(version("mdbook-driver").map(|version| ("mdbook".to_owned(), version)));
    for (file, text) in documents() {
        assert_no_problems(found(prose::stale_versions(file, &text, &versions)));
    }
}

#[test]
fn no_published_address_is_removed_without_a_redirect() {
    // Without the built site: mdBook doesn't build a book that lacks the redirect of a page whose headings have some.
    assert_no_problems(published::lost_addresses(project()));
    let (_, unlisted) = published::unlisted(project()).expect("the pages can be read");
    assert_no_problems(found(unlisted));
    assert_no_problems(published::removed(project()));
}
