//! `cargo book build`: the static site in `book/`.

use crate::formats::add_pdf;
use anyhow::{Context, Result};
use export::{Book, chromium, site};
use model::Project;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Builds the site into `book/`, with the PDF in it or without; where that fails, what was there stays.
pub fn build(project: &Project, with_pdf: bool) -> Result<()> {
    let started = Instant::now();
    // First of all, so that a missing program is told at once.
    let chrome = with_pdf.then(chromium::find).transpose()?;
    let book = render(project)?;
    site::export(project, &book)?;
    if let Some(chrome) = chrome {
        add_pdf(project, &chrome, &book)?;
    }
    publish(project, &book.site)?;
    let index = site_folder(project).join("index.html");
    println!(
        "Built the book in {:.1} s: {}",
        started.elapsed().as_secs_f32(),
        index.display()
    );
    Ok(())
}

/// The folder with the last good site.
pub fn site_folder(project: &Project) -> PathBuf {
    project.root().join("book")
}

/// Renders the pages into a folder beside the last good site.
pub fn render(project: &Project) -> Result<Book> {
    let next = project.root().join("target/book/next");
    fs::create_dir_all(&next).with_context(|| format!("cannot make {}", next.display()))?;
    Book::build(project, &next)
}

/// Puts a rendered site in the place of the last good one.
pub fn publish(project: &Project, next: &Path) -> Result<()> {
    let site = site_folder(project);
    let old = project.root().join("target/book/old");
    remove(&old)?;
    if site.exists() {
        fs::rename(&site, &old).with_context(|| format!("cannot move {} away", site.display()))?;
    }
    if let Err(error) = fs::rename(next, &site) {
        // The last good site, back where it was.
        let _ = fs::rename(&old, &site);
        return Err(error)
            .with_context(|| format!("cannot put the new site at {}", site.display()));
    }
    remove(&old)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
