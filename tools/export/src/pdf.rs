//! The whole book as a PDF, printed by Chromium.

use crate::book::Book;
use crate::{chrome, print};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Prints the book to a file, by way of `print.html` in a folder for what is needed on the way.
///
/// # Errors
///
/// The book has a link to what is no page, or Chromium fails.
pub fn write(book: &Book, chrome: &Path, work: &Path, to: &Path) -> Result<()> {
    let page = work.join("print.html");
    fs::write(&page, print::page(book)?)
        .with_context(|| format!("cannot write {}", page.display()))?;
    // Beside it first: what was there stays where printing fails.
    let printed = work.join("printed.pdf");
    let _ = fs::remove_file(&printed);
    chrome::print(chrome, &page, &printed)?;
    fs::copy(&printed, to).with_context(|| format!("cannot write {}", to.display()))?;
    let _ = fs::remove_file(&printed);
    Ok(())
}
