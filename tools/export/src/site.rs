//! The site as `cargo book` builds it: mdBook's pages, and beside them the Markdown of each page, the two lists of
//! them, and the EPUB. The stock `mdbook` runs our preprocessor alone, and so builds only the pages.

use crate::book::Book;
use crate::links::{self, Target, path_to_root};
use crate::{epub, llms};
use anyhow::{Context, Result, ensure};
use model::Project;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process;

/// The folder with the last exported files, relative to the book's root.
const CACHE: &str = "target/export/cache";

/// Builds the site into a folder, which is emptied first: the pages and the [exports](export).
///
/// # Errors
///
/// `model::Problems` with every mistake in the book, each with its file and line; or mdBook's error.
pub fn build(project: &Project, folder: &Path) -> Result<Book> {
    let book = Book::build(project, folder)?;
    export(project, &book)?;
    Ok(book)
}

/// Adds the exports to a site of pages alone: Markdown, `llms.txt`, `llms-full.txt`, and the EPUB. The files are
/// copied from the last call if nothing that they are made from has changed.
///
/// # Errors
///
/// A picture cannot be read or is of no kind that e-book readers show, or a file cannot be written.
pub fn export(project: &Project, book: &Book) -> Result<()> {
    let cache = project.root().join(CACHE);
    let entry = cache.join(format!("{:016x}", key(book)));
    // Whatever is wrong with the cache, the files can be made again.
    if let Some(files) = read_files(&entry) {
        return write_files(&book.site, &files);
    }
    let files = make(book)?;
    write_files(&book.site, &files)?;
    // Renamed when it is complete: another process could be reading it.
    let next = cache.join(format!("next-{}", process::id()));
    let _ = fs::remove_dir_all(&cache);
    if write_files(&next, &files).is_ok() {
        let _ = fs::rename(next, entry);
    }
    Ok(())
}

/// The exported files by their paths in the site.
fn make(book: &Book) -> Result<BTreeMap<String, Vec<u8>>> {
    book.in_parallel(|page| {
        page.text();
        page.markdown();
    });
    let mut files = BTreeMap::new();
    for page in &book.pages {
        files.insert(page.file("md"), page.markdown().into());
    }
    let list = llms::list(book);
    files.insert(llms::ALL.to_owned(), llms::all(book, &list).into());
    files.insert(llms::LIST.to_owned(), list.into());
    files.insert(format!("{}.epub", book.file_name()), epub::epub(book)?);
    Ok(files)
}

/// A hash of everything that the exports are made from, and of the program that makes them.
fn key(book: &Book) -> u64 {
    let mut hasher = DefaultHasher::new();
    let program = std::env::current_exe().and_then(fs::metadata);
    let program = program.and_then(|file| Ok((file.modified()?, file.len())));
    program.ok().hash(&mut hasher);
    let Book {
        title,
        description,
        language,
        authors,
        date,
        edition,
        pages,
        contents,
        site,
        rendered: _,
    } = book;
    (title, description, language, authors, date, edition).hash(&mut hasher);
    contents.hash(&mut hasher);
    let mut pictures = BTreeSet::new();
    for page in pages {
        (&page.title, &page.html, &page.expanded, &page.main).hash(&mut hasher);
        for (_, rest) in page
            .main
            .match_indices("src=\"")
            .map(|(at, found)| page.main.split_at(at + found.len()))
        {
            let address = rest.split('"').next().unwrap_or_default();
            if let Target::Inside { file, .. } = links::target(&page.html, address) {
                pictures.insert(file);
            }
        }
    }
    for picture in pictures {
        let bytes = fs::read(site.join(&picture)).ok();
        (picture, bytes).hash(&mut hasher);
    }
    hasher.finish()
}

/// The files in a folder and below; none if one of them cannot be read.
fn read_files(folder: &Path) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        if entry.file_type().ok()?.is_dir() {
            let below = read_files(&entry.path())?.into_iter();
            files.extend(below.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            files.insert(name, fs::read(entry.path()).ok()?);
        }
    }
    Some(files)
}

/// Writes files into a folder, which is made if it isn't there.
pub(crate) fn write_files(folder: &Path, files: &BTreeMap<String, impl AsRef<[u8]>>) -> Result<()> {
    for (name, bytes) in files {
        let path = folder.join(name);
        let above = path.parent().unwrap_or(folder);
        fs::create_dir_all(above).with_context(|| format!("cannot make {}", above.display()))?;
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// How the pages mention the PDF. Chromium prints it, so not every site has one; in a site that does, these words
/// become a link to it.
const PDF: &str = "<strong>PDF</strong>";

/// Links the PDF in the site's folder from the pages that mention it.
///
/// Fails if no page mentions it, or a page cannot be written.
pub fn link_pdf(book: &Book) -> Result<()> {
    let mut links = 0;
    let pages = book.pages.iter().map(|page| page.html.as_str());
    // The first page is also index.html, and the print page contains all pages.
    for html in pages.chain(["index.html", "print.html"]) {
        let path = book.site.join(html);
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let root = path_to_root(html);
        let link = format!("<a href=\"{root}{}.pdf\">{PDF}</a>", book.file_name());
        let count = text.matches(PDF).count();
        if count > 0 {
            links += count;
            fs::write(&path, text.replace(PDF, &link))
                .with_context(|| format!("cannot write {html}"))?;
        }
    }
    ensure!(
        links > 0,
        "no page mentions the PDF, so nothing can link to it; write **PDF** on a page"
    );
    Ok(())
}
