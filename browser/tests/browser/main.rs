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
    let today = Today::at(SystemTime::now());
    let numbered = pages.iter().enumerate();
    let on_wide = numbered.filter(|(number, _)| today.shows_wide(*number));
    let on_wide: Vec<_> = on_wide.map(|(_, page)| page.clone()).collect();
    // Two Chromiums: one of them leaves a core idle while it waits.
    let check = |pages: &[_], views: &[View]| {
        with_browser(|it| it.check(project, &book.site, pages, views))
    };
    let (wide, narrow) = std::thread::scope(|scope| {
        let wide = scope.spawn(|| check(&on_wide, &today.wide));
        let narrow = check(&pages, &today.narrow);
        (wide.join(), narrow)
    });
    let wide = wide.map_err(|_panic| anyhow!("a check of the pages panicked"))?;
    let mut problems = [wide?, narrow?].concat();
    problems.sort_by_key(Problem::to_string);
    problems.dedup_by_key(|problem| problem.to_string());
    Ok(Problems::none_in(problems)?)
}

/// What is opened on a day: every page on the narrow screen, where most breaks, and a quarter of the pages on the wide
/// one, other ones every day; light or dark. With `BOOK_ALL`, every page in all four views.
struct Today {
    wide: Vec<View>,
    narrow: Vec<View>,
    /// Which quarter is opened on the wide screen; all, if none.
    quarter: Option<usize>,
}

impl Today {
    fn at(now: SystemTime) -> Self {
        let [wide, wide_dark, narrow, narrow_dark] = View::ALL;
        if std::env::var_os("BOOK_ALL").is_some() {
            let (wide, narrow) = (vec![wide, wide_dark], vec![narrow, narrow_dark]);
            return Self {
                wide,
                narrow,
                quarter: None,
            };
        }
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let day = usize::try_from(seconds / (24 * 60 * 60)).unwrap_or_default();
        // After four days the wide screen changes between light and dark, so that each page is seen in both.
        let wide = if (day / 4).is_multiple_of(2) {
            wide
        } else {
            wide_dark
        };
        let narrow = if day.is_multiple_of(2) {
            narrow_dark
        } else {
            narrow
        };
        Self {
            wide: vec![wide],
            narrow: vec![narrow],
            quarter: Some(day % 4),
        }
    }

    fn shows_wide(&self, page: usize) -> bool {
        self.quarter.is_none_or(|quarter| page % 4 == quarter)
    }
}
