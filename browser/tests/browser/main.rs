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
use std::time::{SystemTime, UNIX_EPOCH};

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
    let [wide, narrow] = views(SystemTime::now());
    let check = |views: &[View]| with_browser(|it| it.check(project, &book.site, &pages, views));
    let (wide, narrow) = std::thread::scope(|scope| {
        let wide = scope.spawn(|| check(&wide));
        let narrow = check(&narrow);
        (wide.join(), narrow)
    });
    let wide = wide.map_err(|_panic| anyhow!("a check of the pages panicked"))?;
    let mut problems = [wide?, narrow?].concat();
    problems.sort_by_key(Problem::to_string);
    problems.dedup_by_key(|problem| problem.to_string());
    Ok(Problems::none_in(problems)?)
}

/// The views on the wide screen and on the narrow one: light and dark, and on the next day dark and light. With
/// `BOOK_ALL`, all four of them.
fn views(now: SystemTime) -> [Vec<View>; 2] {
    let [wide, wide_dark, narrow, narrow_dark] = View::ALL;
    let days = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / (24 * 60 * 60);
    if std::env::var_os("BOOK_ALL").is_some() {
        [vec![wide, wide_dark], vec![narrow, narrow_dark]]
    } else if days.is_multiple_of(2) {
        [vec![wide], vec![narrow_dark]]
    } else {
        [vec![wide_dark], vec![narrow]]
    }
}
