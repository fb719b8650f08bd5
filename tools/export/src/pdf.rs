//! The whole book as a PDF, printed by Chromium.

use crate::book::Book;
use crate::{chromium, print};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Prints the book to a file. The page that is printed, `print.html`, is written to the work folder.
///
/// Fails if Chromium fails, or a file cannot be written.
pub fn write(book: &Book, chromium: &Path, work: &Path, to: &Path) -> Result<()> {
    let page = work.join("print.html");
    fs::write(&page, print::page(book)?)
        .with_context(|| format!("cannot write {}", page.display()))?;
    // To another file first, so that a failure leaves the last PDF alone.
    let printed = work.join("printed.pdf");
    let _ = fs::remove_file(&printed);
    chromium::print(chromium, &page, &printed)?;
    fs::copy(&printed, to).with_context(|| format!("cannot write {}", to.display()))?;
    let _ = fs::remove_file(&printed);
    Ok(())
}
