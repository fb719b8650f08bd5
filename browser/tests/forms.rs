//! Promise: the PDF is the whole book on paper: nothing is cut at the right margin, each link and each heading
//! is in it.

use anyhow::{Result, ensure};
use browser::{Browser, View};
use forms::{Book, chrome, pdf, print};
use pages::Project;
use scratch::Scratch;
use std::fs;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What sticks out of a sheet of A4, between the margins of tools/forms/style/print.css, on either side.
const STICKS_OUT: &str = "(() => {
    const paper = document.body;
    paper.style.width = '172mm';
    const { left, right } = paper.getBoundingClientRect();
    const all = [...paper.querySelectorAll('*')].filter((it) => {
        const box = it.getBoundingClientRect();
        return box.width > 0 && (box.left < left - 1 || box.right > right + 1 || it.scrollWidth > it.clientWidth + 1
            && getComputedStyle(it).overflowX !== 'visible');
    });
    return all.map((it) => `${it.closest('[id]')?.id}: <${it.tagName}> ${it.textContent.trim().slice(0, 60)}`);
})()";

fn book(scratch: &Scratch) -> Result<Book> {
    Book::build(&Project::open(ROOT)?, &scratch.path("built"))
}

/// What sticks out of the printed page, which is changed before.
fn sticks_out(change: impl Fn(String) -> String) -> Result<Vec<String>> {
    let scratch = Scratch::sound();
    let book = book(&scratch)?;
    fs::write(book.site.join("paper.html"), change(print::page(&book)?))?;
    Browser::start()?.visit(&book.site, "paper.html", View::DESKTOP, async |visit| {
        visit.ask(STICKS_OUT).await
    })
}

#[test]
fn nothing_is_cut_at_the_margins() -> Result<()> {
    let found = sticks_out(|page| page)?;
    ensure!(
        found.is_empty(),
        "this sticks out of the sheet:\n{}",
        found.join("\n")
    );
    Ok(())
}

#[test]
fn what_is_cut_is_noticed() -> Result<()> {
    // Lines of code as they are, however long.
    let found = sticks_out(|page| page.replace("white-space: pre-wrap;", "white-space: pre;"))?;
    ensure!(
        found
            .iter()
            .any(|it| it.contains(": <PRE> ") || it.contains(": <CODE> ")),
        "a long line of code is not noticed: {found:?}"
    );
    Ok(())
}

#[test]
fn the_pdf_has_every_page_link_and_heading() -> Result<()> {
    let scratch = Scratch::sound();
    let book = book(&scratch)?;
    let file = scratch.path("book.pdf");
    pdf::write(&book, &chrome::find()?, scratch.root(), &file)?;
    // Chromium compresses what is drawn, and not what is told about it.
    let bytes = fs::read(&file)?;
    let text = String::from_utf8_lossy(&bytes);
    let count = |what: &str| text.matches(what).count();
    let sheets = count("/Type /Page\n");
    ensure!(
        sheets > book.pages.len(),
        "{sheets} sheets for {} pages",
        book.pages.len()
    );
    let html = print::page(&book)?;
    let (links, dests) = (html.matches("<a href=\"#").count(), count("/Dest /"));
    // One that is broken over two lines, or sheets, is there for each.
    ensure!(
        dests >= links,
        "{dests} links inside of the PDF, of {links}"
    );
    for page in &book.pages {
        let heading = page.heading();
        let is_plain = heading.is_ascii() && !heading.contains(['(', ')', '\\']);
        ensure!(
            !is_plain || text.contains(&format!("/Title ({heading})")),
            "the outline does not have `{heading}`"
        );
        for (_, section) in page.sections() {
            let is_plain = section.is_ascii() && !section.contains(['(', ')', '\\']);
            let title = format!("/Title ({section})");
            ensure!(
                !is_plain || text.contains(&title),
                "the outline does not have `{section}`"
            );
        }
    }
    ensure!(
        text.contains("/Lang (en)"),
        "the PDF does not tell its language"
    );
    ensure!(
        text.contains("/StructTreeRoot"),
        "the PDF is not tagged for screen readers"
    );
    Ok(())
}
