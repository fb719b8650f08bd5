//! `cargo book epub` and `cargo book pdf`: the whole book in one file. `cargo book skill`: its rules for agents.

use anyhow::{Context, Result};
use export::{Book, chromium, epub, pdf, skill};
use model::Project;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Writes the book as an EPUB, to `target/export/` or to the given file.
pub fn epub(project: &Project, to: Option<PathBuf>) -> Result<()> {
    let started = Instant::now();
    let book = read(project)?;
    println!("Packing {} pages...", book.pages.len());
    let to = destination(project, &book, to, "epub")?;
    let bytes = epub::epub(&book)?;
    fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
    wrote(&to, started)
}

/// Prints the book as a PDF, to `target/export/` or to the given file.
pub fn pdf(project: &Project, to: Option<PathBuf>) -> Result<()> {
    let started = Instant::now();
    // First of all, so that a missing program is told at once.
    let chrome = chromium::find()?;
    let book = read(project)?;
    let to = destination(project, &book, to, "pdf")?;
    print(project, &book, &chrome, &to)?;
    wrote(&to, started)
}

/// Writes the skill for coding agents, in place of the one that is there.
pub fn skill(project: &Project) -> Result<()> {
    let book = read(project)?;
    let count = skill::write(project, &book)?;
    println!("Wrote {count} files to {}/", skill::FOLDER);
    Ok(())
}

/// Puts the PDF into a built site, and links it from the page that tells of it.
pub fn add_pdf(project: &Project, chrome: &Path, book: &Book) -> Result<()> {
    let to = book.site.join(format!("{}.pdf", book.file_name()));
    print(project, book, chrome, &to)?;
    export::site::link_pdf(book)
}

/// The folder for what is made on the way, and for what is made.
fn folder(project: &Project) -> Result<PathBuf> {
    let folder = project.root().join("target/export");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

fn read(project: &Project) -> Result<Book> {
    println!("Building the pages...");
    Book::build(project, &folder(project)?.join("site"))
}

fn print(project: &Project, book: &Book, chrome: &Path, to: &Path) -> Result<()> {
    println!(
        "Printing {} pages with {}...",
        book.pages.len(),
        chrome.display()
    );
    pdf::write(book, chrome, &folder(project)?, to)
}

/// The file to write, in a folder that is there.
fn destination(
    project: &Project,
    book: &Book,
    to: Option<PathBuf>,
    ending: &str,
) -> Result<PathBuf> {
    let Some(to) = to else {
        return Ok(folder(project)?.join(format!("{}.{ending}", book.file_name())));
    };
    if let Some(above) = to.parent().filter(|above| !above.as_os_str().is_empty()) {
        fs::create_dir_all(above).with_context(|| format!("cannot make {}", above.display()))?;
    }
    Ok(to)
}

fn wrote(to: &Path, started: Instant) -> Result<()> {
    let size = fs::metadata(to)
        .with_context(|| format!("{} was written and is gone", to.display()))?
        .len();
    println!(
        "Wrote {} ({} kB) in {:.1} s",
        to.display(),
        size.div_ceil(1000),
        started.elapsed().as_secs_f32()
    );
    Ok(())
}
