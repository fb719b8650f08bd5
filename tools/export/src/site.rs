//! The site as `cargo book` builds it: mdBook's pages, and beside them the book for machines and for e-book
//! readers. The stock `mdbook` runs our preprocessor only, and so builds the pages alone.

use crate::book::Book;
use crate::{epub, llms, markdown};
use anyhow::{Context, Result, ensure};
use pages::Project;
use pages::site::Page;
use std::fs;
use std::path::Path;

/// A built site.
pub struct Site {
    /// Its pages, in order.
    pub pages: Vec<Page>,
    /// The book that it was made of.
    pub book: Book,
}

/// Builds the site into a folder, which is emptied first.
///
/// # Errors
///
/// `pages::Problems` with every mistake in the book, each with its file and line; or mdBook's own words.
pub fn build(project: &Project, folder: &Path) -> Result<Site> {
    let (pages, rendered) = pages::site::build_and_keep(project, folder)?;
    let book = Book::read(project, folder, &rendered)?;
    for page in &book.pages {
        write(folder, &page.file("md"), markdown::plain(&page.expanded))?;
    }
    write(folder, llms::LIST, llms::list(&book))?;
    write(folder, llms::ALL, llms::all(&book))?;
    write(
        folder,
        &format!("{}.epub", book.file_name()),
        epub::epub(&book)?,
    )?;
    Ok(Site { pages, book })
}

/// What a page says of the PDF. It is printed by Chromium, and so no part of every site: where it is one,
/// these words become the link to it.
const PDF: &str = "<strong>PDF</strong>";

/// Links the PDF, which lies in the site's folder, where the pages tell of it.
///
/// # Errors
///
/// No page tells of it, or one cannot be read or written.
pub fn link_pdf(book: &Book) -> Result<()> {
    let mut links = 0;
    let pages = book.pages.iter().map(|page| page.html.as_str());
    // The first page stands there twice, and the print page has them all.
    for html in pages.chain(["index.html", "print.html"]) {
        let path = book.site.join(html);
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let up = crate::links::up(html);
        let link = format!("<a href=\"{up}{}.pdf\">{PDF}</a>", book.file_name());
        let count = text.matches(PDF).count();
        if count > 0 {
            links += count;
            fs::write(&path, text.replace(PDF, &link))
                .with_context(|| format!("cannot write {html}"))?;
        }
    }
    ensure!(
        links > 0,
        "no page tells of the PDF, so there is nothing to link it from; write **PDF** on one"
    );
    Ok(())
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
