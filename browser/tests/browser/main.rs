//! Everything that needs a browser. All tests share two Chromiums and one build of the book's site.

mod broken;
mod finding;
mod pdf;
mod reading;
mod scenes;
mod shared;
mod stepping;

use anyhow::{Result, anyhow, ensure};
use browser::View;
use model::{Problem, Problems};
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
    // Two Chromiums take half of the views each: one of them leaves a core idle while it waits.
    let [light, dark] = [0, 1].map(|from| {
        let views = View::ALL.into_iter().skip(from).step_by(2);
        views.collect::<Vec<_>>()
    });
    let check = |views: &[View]| with_browser(|it| it.check(project, &book.site, &pages, views));
    let (light, dark) = std::thread::scope(|scope| {
        let light = scope.spawn(|| check(&light));
        let dark = check(&dark);
        (light.join(), dark)
    });
    let light = light.map_err(|_panic| anyhow!("a check of the pages panicked"))?;
    let mut problems = [light?, dark?].concat();
    problems.sort_by_key(Problem::to_string);
    problems.dedup_by_key(|problem| problem.to_string());
    Ok(Problems::none_in(problems)?)
}
