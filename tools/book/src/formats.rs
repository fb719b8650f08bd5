//! `cargo book epub` and `cargo book pdf`: the whole book in one file. `cargo book skill`: its rules for agents.

use crate::progress::Progress;
use anyhow::{Context, Result};
use export::{Book, chromium, epub, pdf, skill};
use model::Project;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Writes the book as an EPUB, to `target/export/` or to the given file.
pub fn epub(project: &Project, to: Option<PathBuf>) -> Result<()> {
    let started = Instant::now();
    let mut progress = Progress::start("Writing the EPUB", 2);
    let book = read(project, &mut progress)?;
    progress.step(&format!("packing {} pages", book.pages.len()));
    let to = destination(project, &book, to, "epub")?;
    let bytes = epub::epub(&book)?;
    fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
    drop(progress);
    wrote(&to, started)
}

/// Prints the book as a PDF, to `target/export/` or to the given file.
pub fn pdf(project: &Project, to: Option<PathBuf>) -> Result<()> {
    let started = Instant::now();
    // Before the build, so that a missing program is reported immediately.
    let chrome = chromium::find()?;
    let mut progress = Progress::start("Writing the PDF", 2);
    let book = read(project, &mut progress)?;
    let to = destination(project, &book, to, "pdf")?;
    progress.step(&format!(
        "printing {} pages with Chromium",
        book.pages.len()
    ));
    print(project, &book, &chrome, &to)?;
    drop(progress);
    wrote(&to, started)
}

/// Writes the skill for coding agents, in place of the one that is there.
pub fn skill(project: &Project) -> Result<()> {
    let count = skill::write(project)?;
    println!("Wrote {count} files to {}/", skill::FOLDER);
    Ok(())
}

/// Puts the PDF into a built site, and links it from the page that mentions it.
pub fn add_pdf(project: &Project, chrome: &Path, book: &Book) -> Result<()> {
    let to = book.site.join(format!("{}.pdf", book.file_name()));
    print(project, book, chrome, &to)?;
    export::site::link_pdf(book)
}

/// The folder for intermediate files and results.
fn folder(project: &Project) -> Result<PathBuf> {
    let folder = project.root().join("target/export");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

fn read(project: &Project, progress: &mut Progress) -> Result<Book> {
    progress.step("building the pages");
    Book::build(project, &folder(project)?.join("site"))
}

fn print(project: &Project, book: &Book, chrome: &Path, to: &Path) -> Result<()> {
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
        fs::create_dir_all(above).with_context(|| format!("cannot create {}", above.display()))?;
    }
    Ok(to)
}

fn wrote(to: &Path, started: Instant) -> Result<()> {
    let size = fs::metadata(to)
        .with_context(|| format!("{} was written and has disappeared", to.display()))?
        .len();
    println!(
        "Wrote {} ({} kB) in {:.1} s",
        to.display(),
        size.div_ceil(1000),
        started.elapsed().as_secs_f32()
    );
    Ok(())
}
