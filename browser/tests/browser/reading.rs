//! Promise: what a reader does on a page works: copying, running, choosing colors, finding the contents,
//! as a file, and without scripts. A page is accessible in each of its states.

use crate::scenes::Scenes;
use crate::shared::{copy, with_browser};
use anyhow::Result;
use browser::View;
use scratch::Scratch;

#[test]
fn what_a_reader_does_works() -> Result<()> {
    Scenes::parse(include_str!("scenes/reading.txt")).play_all()
}

#[test]
fn pages_are_accessible_in_every_state() -> Result<()> {
    Scenes::parse(include_str!("scenes/accessible.txt")).play_all()
}

#[test]
fn a_page_works_in_a_folder_of_a_larger_site() -> Result<()> {
    let scratch = Scratch::sound();
    copy(&scratch, "site/docs/book")?;
    let above = scratch.path("site");
    let page = "docs/book/tasks/waiting.html";
    let scenes = Scenes::parse(include_str!("scenes/larger_site.txt"));
    with_browser(|browser| {
        browser.visit(&above, page, View::DESKTOP, async |visit| {
            scenes
                .play(visit, "A page works in a folder of a larger site")
                .await
        })
    })
}
