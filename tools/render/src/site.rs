//! Loads the book and renders it with mdBook's own driver.

use crate::expand::Expander;
use crate::page_cache::PageCache;
use crate::preprocessor::Directives;
use anyhow::{Context, Result};
use mdbook_driver::MDBook;
use mdbook_driver::book::BookItem;
use mdbook_driver::builtin_renderers::MarkdownRenderer;
use mdbook_markdown::pulldown_cmark::{Event, Tag};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use mdbook_preprocessor::book::Book;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use model::{Problem, Problems, Project};
use std::fs;
use std::path::{Path, PathBuf};

/// A page of the built site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its source, relative to the book's root, with forward slashes: `src/tasks/waiting.md`.
    pub source: String,
    /// Its rendered file, relative to the site's folder: `tasks/waiting.html`.
    pub html: PathBuf,
}

/// Renders the whole site into a folder (which is emptied first) and returns its pages in order.
///
/// The files are read again; of the pages, mdBook renders those that changed since the last build of this book.
///
/// # Errors
///
/// [`Problems`] with every mistake in the book, each with its file and line; or mdBook's own words.
pub fn build(project: &Project, folder: &Path) -> Result<Vec<Page>> {
    let (pages, _) = build_and_keep(project, folder)?;
    Ok(pages)
}

/// The same, and the book with its pages expanded, for those who make more of it.
///
/// # Errors
///
/// As there.
pub fn build_and_keep(project: &Project, folder: &Path) -> Result<(Vec<Page>, MDBook)> {
    let project = &project.loaded();
    check_sources(project)?;
    let mut book = MDBook::load(project.root()).context("mdBook cannot load the book")?;
    // In place of the command in book.toml, which is for the stock binary: the same code, in here.
    book.with_preprocessor(Directives::new(project.clone()));
    book.config.build.build_dir = folder.to_owned();
    let pages = pages(&book);
    let (expanded, _) = book.preprocess_book(&MarkdownRenderer::new())?;
    book.book = expanded;
    book.with_preprocessor(AlreadyExpanded);
    let whole = book.book.clone();
    let cache = PageCache::look_up(project, &mut book)?;
    book.build()?;
    cache.complete(folder)?;
    book.book = whole;
    Ok((pages, book))
}

/// In the place of [`Directives`], once they are expanded.
struct AlreadyExpanded;

impl Preprocessor for AlreadyExpanded {
    fn name(&self) -> &str {
        Directives::NAME
    }

    fn run(&self, _: &PreprocessorContext, book: Book) -> Result<Book> {
        Ok(book)
    }
}

fn pages(book: &MDBook) -> Vec<Page> {
    let src = book.config.book.src.to_string_lossy();
    let mut pages = Vec::new();
    for item in book.iter() {
        if let BookItem::Chapter(chapter) = item
            && let Some(path) = &chapter.source_path
        {
            pages.push(Page {
                source: format!("{src}/{}", path.to_string_lossy().replace('\\', "/")),
                html: path.with_extension("html"),
            });
        }
    }
    pages
}

/// What mdBook would report without a line, one at a time, or not at all.
fn check_sources(project: &Project) -> Result<()> {
    let summary = "src/SUMMARY.md";
    let mut problems = Vec::new();
    let mut texts = Vec::new();
    for folder in ["src", "theme"] {
        links_out(project, &project.root().join(folder), folder, &mut problems);
    }
    let text = project.read(summary)?;
    let parser = new_cmark_parser(&text, &MarkdownOptions::default());
    for (event, range) in parser.into_offset_iter() {
        let Event::Start(Tag::Link { dest_url, .. }) = event else {
            continue;
        };
        let line = 1 + text[..range.start].matches('\n').count();
        if dest_url.is_empty() {
            problems.push(Problem::at(
                summary,
                line,
                "this chapter has no page yet; the table of contents shows only what exists",
            ));
            continue;
        }
        let page = format!(
            "src/{}",
            dest_url.trim_start_matches("./").replace("%20", " ")
        );
        let text = if page.split('/').any(|part| part == "..") {
            Err(Problem::of(&page, "lies outside src/; move it there"))
        } else {
            project.read(&page)
        };
        match text {
            Ok(text) => texts.push((page, text)),
            Err(problem) if problem.line.is_some() => problems.push(problem),
            Err(problem) => {
                let message = format!("the page {page}: {}", problem.message);
                problems.push(Problem::at(summary, line, message));
            }
        }
    }
    // What is wrong with the directives comes up when they are expanded, if mdBook gets that far.
    if !problems.is_empty() {
        let expander = Expander::new(project, None);
        let expanded = texts.iter().map(|(page, text)| expander.expand(page, text));
        problems.extend(expanded.filter_map(Result::err).flatten());
    }
    Ok(Problems::none_in(problems)?)
}

/// Symbolic links that lead out of the book's folder: mdBook would copy what they lead to. (It copies
/// no Markdown; the pages are checked where the table of contents names them.)
fn links_out(project: &Project, folder: &Path, name: &str, problems: &mut Vec<Problem>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let below = format!("{name}/{}", entry.file_name().to_string_lossy());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => links_out(project, &entry.path(), &below, problems),
            Ok(kind) if kind.is_symlink() && !below.ends_with(".md") => {
                problems.extend(project.inside(&below).err())
            }
            _ => {}
        }
    }
}
