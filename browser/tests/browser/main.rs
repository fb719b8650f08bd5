//! Everything that needs a browser. All tests share two Chromiums and one build of the book's site.

mod broken;
mod finding;
mod pdf;
mod reading;
mod scenes;
mod shared;
mod stepping;

use anyhow::{Result, ensure};
use browser::View;
use model::Problems;
use shared::{site, with_browser};

/// Promise: every page works in a browser, is accessible, and needs no network. With `BOOK_PAGE`
/// (`src/tasks/waiting.md`), only that page is opened.
#[test]
fn every_page_of_the_book_works() -> Result<()> {
    let (project, book) = site()?;
    let mut pages = book.rendered.clone();
    if let Ok(only) = std::env::var("BOOK_PAGE") {
        pages.retain(|page| page.source == only);
        ensure!(
            !pages.is_empty(),
            "BOOK_PAGE is set to {only}, which is not a page of the book"
        );
    }
    let problems = with_browser(|it| it.check(project, &book.site, &pages, &View::ALL))?;
    Ok(Problems::none_in(problems)?)
}
