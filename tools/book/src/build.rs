//! `cargo book build`: the static site in `book/`.

use crate::formats::add_pdf;
use crate::progress::Progress;
use crate::watch::Snapshot;
use anyhow::{Context, Result};
use export::{chromium, site};
use model::Project;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Builds the site into `book/`, optionally with the PDF. If that fails, the last good site stays.
pub fn build(project: &Project, with_pdf: bool) -> Result<()> {
    let started = Instant::now();
    // Before the build, so that a missing program is reported immediately.
    let chrome = with_pdf.then(chromium::find).transpose()?;
    let snapshot = Snapshot::take(project);
    let mut progress = Progress::start("Building the book", 1 + usize::from(with_pdf));
    progress.step("rendering the pages");
    let book = site::build(project, &next_folder(project)?)?;
    if let Some(chrome) = chrome {
        progress.step("printing the PDF");
        add_pdf(project, &chrome, &book)?;
    }
    publish(project, &book.site)?;
    mark_current(project, &snapshot)?;
    drop(progress);
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

/// The folder in which the next site is built, beside the last good one.
pub fn next_folder(project: &Project) -> Result<PathBuf> {
    let next = project.root().join("target/book/next");
    fs::create_dir_all(&next).with_context(|| format!("cannot create {}", next.display()))?;
    Ok(next)
}

/// Puts a rendered site in the place of the last good one.
pub fn publish(project: &Project, next: &Path) -> Result<()> {
    let site = site_folder(project);
    let old = project.root().join("target/book/old");
    remove(&old)?;
    remove(&stamp(project))?;
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

/// Whether the site in `book/` is complete and was built from the files as they are, by this executable.
pub fn is_current(project: &Project, snapshot: &Snapshot) -> bool {
    let built_from = fs::read_to_string(stamp(project)).unwrap_or_default();
    built_from == snapshot.fingerprint(project) && site_folder(project).join("index.html").is_file()
}

/// Remembers from which files the site in `book/` was built.
pub fn mark_current(project: &Project, snapshot: &Snapshot) -> Result<()> {
    let stamp = stamp(project);
    fs::write(&stamp, snapshot.fingerprint(project))
        .with_context(|| format!("cannot write {}", stamp.display()))
}

fn stamp(project: &Project) -> PathBuf {
    project.root().join("target/book/built-from")
}

/// Removes a file or a folder, if it is there.
fn remove(path: &Path) -> Result<()> {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
