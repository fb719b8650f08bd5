//! Promise: the PDF is the whole book on paper: nothing is cut at the right margin, each link and each heading
//! is in it.

use crate::shared::{site, visit};
use anyhow::{Result, ensure};
use browser::View;
use export::{chromium, pdf, print};
use scratch::Scratch;
use std::fs;

/// What sticks out of a sheet of A4, between the margins of tools/export/style/print.css, on either side.
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

/// What sticks out of the print page, which is changed first, and written to a file of the site.
fn sticks_out(file: &str, change: impl Fn(String) -> String) -> Result<Vec<String>> {
    let (_, book) = site()?;
    fs::write(book.site.join(file), change(print::page(book)?))?;
    visit(file, View::DESKTOP, async |visit| {
        visit.ask(STICKS_OUT).await
    })
}

#[test]
fn nothing_is_cut_at_the_margins() -> Result<()> {
    let found = sticks_out("paper.html", |page| page)?;
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
    let found = sticks_out("long-lines.html", |page| {
        page.replace("white-space: pre-wrap;", "white-space: pre;")
    })?;
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
    let (_, book) = site()?;
    let scratch = Scratch::sound();
    let file = scratch.path("book.pdf");
    pdf::write(book, &chromium::find()?, scratch.root(), &file)?;
    // Chromium compresses only what is drawn.
    let bytes = fs::read(&file)?;
    let text = String::from_utf8_lossy(&bytes);
    let count = |what: &str| text.matches(what).count();
    let sheets = count("/Type /Page\n");
    ensure!(
        sheets > book.pages.len(),
        "{sheets} sheets for {} pages",
        book.pages.len()
    );
    let html = print::page(book)?;
    let (links, dests) = (html.matches("<a href=\"#").count(), count("/Dest /"));
    // A link that is broken over two lines has one for each.
    ensure!(
        dests >= links,
        "{dests} links inside of the PDF, of {links}"
    );
    for page in &book.pages {
        let sections = page.sections().into_iter().map(|(_, title)| title);
        for title in sections.chain([page.heading()]) {
            let is_plain = title.is_ascii() && !title.contains(['(', ')', '\\']);
            ensure!(
                !is_plain || text.contains(&format!("/Title ({title})")),
                "the outline does not have `{title}`"
            );
        }
    }
    ensure!(
        text.contains("/Lang (en)"),
        "the PDF does not declare its language"
    );
    ensure!(
        text.contains("/StructTreeRoot"),
        "the PDF is not tagged for screen readers"
    );
    Ok(())
}

/// The page whose text fits on one sheet.
const SHEET: &str = "practices/cheat_sheet.html";

/// How many sheets of a size the cheat sheet takes, in the PDF of the book and printed from the site, with this
/// style added. The pages are written to files of this name in the site.
fn sheets(size: &str, style: &str, file: &str) -> Result<[usize; 2]> {
    let (_, book) = site()?;
    let scratch = Scratch::sound();
    // The style of the page has a size as well; the last one counts.
    let style = format!("<style>@page {{ size: {size}; }} {style}</style></head>");
    let in_book = print::page(book)?.replace(
        "</head>",
        &format!(
            "<style>section.chapter:not(:has(.sheet)), header, nav {{ display: none !important; }}</style>{style}"
        ),
    );
    let alone = fs::read_to_string(book.site.join(SHEET))?.replace("</head>", &style);
    let count = |name: &str, html: &str| -> Result<usize> {
        let page = book.site.join(name);
        fs::write(&page, html)?;
        let file = scratch.path("sheet.pdf");
        chromium::print(&chromium::find()?, &page, &file)?;
        let bytes = fs::read(&file)?;
        Ok(String::from_utf8_lossy(&bytes)
            .matches("/Type /Page\n")
            .count())
    };
    Ok([
        count(&format!("sheet-of-book-{file}.html"), &in_book)?,
        count(&format!("practices/sheet-alone-{file}.html"), &alone)?,
    ])
}

#[test]
fn the_cheat_sheet_is_one_sheet_of_paper() -> Result<()> {
    for size in ["A4", "Letter"] {
        let [in_book, alone] = sheets(size, "", size)?;
        ensure!(
            in_book == 1,
            "the cheat sheet takes {in_book} sheets of {size} in the PDF: shorten src/practices/cheat_sheet.md, or \
             see .sheet in tools/export/style/print.css"
        );
        ensure!(
            alone == 1,
            "the cheat sheet takes {alone} sheets of {size} printed from the site: shorten \
             src/practices/cheat_sheet.md, or see .sheet in theme/book.css"
        );
    }
    Ok(())
}

#[test]
fn a_cheat_sheet_of_two_sheets_is_noticed() -> Result<()> {
    let large = ".sheet, .sheet * { font-size: 14pt !important; }";
    let [in_book, alone] = sheets("A4", large, "large")?;
    ensure!(in_book > 1 && alone > 1, "{in_book} and {alone} sheets");
    Ok(())
}
