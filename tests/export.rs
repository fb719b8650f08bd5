//! Promise: the whole book is in its EPUB, its PDF, and its Markdown.
//!
//! Every file is well-formed, every link works, and every page shows the same programs, outputs, messages, and timelines
//! as the site. The PDF is printed from the page that is checked here; `.ci/run` prints it with Chromium.
//!
//! The checks are in `tools/export`, whose own tests break a small book in each of these ways.

use export::book::Book;
use export::{check, epub, print, site};
use model::{Problem, Problems, Project};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

static BOOK: LazyLock<Result<(Project, Book), String>> = LazyLock::new(|| {
    let folder = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/export-site"));
    let build = || {
        let project = Project::open(env!("CARGO_MANIFEST_DIR"))?;
        fs::create_dir_all(folder)?;
        let book = site::build(&project, folder)?;
        anyhow::Ok((project, book))
    };
    build().map_err(|error| format!("{error:#}"))
});

fn book() -> &'static (Project, Book) {
    match &*BOOK {
        Ok(book) => book,
        Err(problems) => panic!("the book does not build:\n{problems}"),
    }
}

fn demand_none(found: anyhow::Result<Vec<Problem>>) {
    let problems = found.expect("the check itself works");
    if let Err(problems) = Problems::none_in(problems) {
        panic!("the book has problems:\n{problems}");
    }
}

#[test]
fn the_epub_is_sound_and_whole() {
    let (project, book) = book();
    let bytes = epub::epub(book).expect("an EPUB can be made");
    demand_none(check::pages(project, book));
    demand_none(check::epub(book, &bytes));
}

#[test]
fn the_page_that_is_printed_is_sound_and_whole() {
    let (_, book) = book();
    let html = print::page(book).expect("the page can be made");
    demand_none(Ok(check::print(book, &html)));
}

#[test]
fn the_markdown_is_sound_and_whole() {
    let (project, book) = book();
    demand_none(check::markdown(project, book));
}

#[test]
fn every_part_of_a_picture_is_drawn_in_every_form() {
    let (_, book) = book();
    for (form, style) in [("EPUB", epub::STYLE), ("PDF", print::STYLE)] {
        let plain = check::unstyled(book, style);
        assert!(
            plain.is_empty(),
            "tools/export/style/ has no rule for these classes of pictures, in the {form}: {plain:?}"
        );
    }
}

#[test]
fn the_same_site_makes_the_same_epub() {
    let (_, book) = book();
    let made = || epub::epub(book).expect("an EPUB can be made");
    assert!(made() == made());
}
