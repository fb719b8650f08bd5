//! The whole book: its table of contents, and each page as Markdown and as rendered.

use crate::date::Date;
use crate::tree::{self, Node};
use anyhow::{Context, Result};
use mdbook_driver::MDBook;
use mdbook_driver::book::{BookItem, Chapter};
use mdbook_driver::config::BookConfig;
use pages::site::build_and_keep;
use pages::{Project, lock, provenance};
use std::fs;
use std::path::{Path, PathBuf};

/// How the book may be used. README.md says the same, and a test compares.
pub const RIGHTS: &str = "Code: MIT or Apache-2.0, as you prefer. Text: CC BY 4.0.";

/// The whole book.
#[derive(Debug)]
pub struct Book {
    /// Its title.
    pub title: String,
    /// What it is about, in a sentence.
    pub description: String,
    /// Its language, such as `en`.
    pub language: String,
    /// Who wrote it, where book.toml says so.
    pub authors: Vec<String>,
    /// When its commit was made.
    pub date: Date,
    /// With what it was verified, and at which commit.
    pub edition: String,
    /// Its pages, in order.
    pub pages: Vec<Page>,
    /// How they are ordered: each is named once.
    pub contents: Vec<Item>,
    /// Where the site is that they were taken from.
    pub site: PathBuf,
}

/// A page.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its title in the table of contents.
    pub title: String,
    /// Its file in the site, with forward slashes: `tasks/waiting.html`.
    pub html: String,
    /// Its Markdown, expanded, as mdBook renders it.
    pub expanded: String,
    /// Its rendered text.
    pub text: Vec<Node>,
}

impl Page {
    /// Its file, with another ending.
    pub fn file(&self, ending: &str) -> String {
        let stem = self.html.strip_suffix("html").unwrap_or(&self.html);
        format!("{stem}{ending}")
    }

    /// Its heading, which may say more than its title does; the title where it has none.
    pub fn heading(&self) -> String {
        let mut heading = None;
        tree::each(&self.text, &mut |element| {
            if element.name == "h1" && heading.is_none() {
                heading = Some(element.text());
            }
        });
        heading.unwrap_or_else(|| self.title.clone())
    }

    /// Its headings of the second level, with their ids: what a table of contents names below it.
    pub fn sections(&self) -> Vec<(String, String)> {
        let mut sections = Vec::new();
        tree::each(&self.text, &mut |element| {
            if let ("h2", Some(id)) = (element.name.as_str(), element.attribute("id")) {
                sections.push((id.to_owned(), element.text()));
            }
        });
        sections
    }
}

/// An entry of the table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is called.
    pub title: String,
    /// Its page, by its place in [`Book::pages`]; none where it is the title of a part.
    pub page: Option<usize>,
    /// What stands below it.
    pub children: Vec<Item>,
}

impl Book {
    /// Builds the site into a folder, which is emptied first, and reads the book there.
    ///
    /// # Errors
    ///
    /// `pages::Problems` with every mistake in the book, each with its file and line; or mdBook's own words.
    pub fn build(project: &Project, site: &Path) -> Result<Self> {
        fs::create_dir_all(site).with_context(|| format!("cannot make {}", site.display()))?;
        let (_, book) = build_and_keep(project, site)?;
        Self::read(project, site, &book)
    }

    /// Reads the book, expanded, and its pages from the site that was built of it.
    pub(crate) fn read(project: &Project, site: &Path, book: &MDBook) -> Result<Self> {
        let BookConfig {
            title,
            description,
            language,
            authors,
            ..
        } = book.config.book.clone();
        let mut reader = Reader {
            site,
            pages: Vec::new(),
        };
        let contents = reader.read(&book.book.items)?;
        Ok(Self {
            title: title.unwrap_or_else(|| "A book".to_owned()),
            description: description.unwrap_or_default(),
            language: language.unwrap_or_else(|| "en".to_owned()),
            authors,
            date: Date::of(project),
            edition: edition(project),
            pages: reader.pages,
            contents,
            site: site.to_owned(),
        })
    }

    /// What its files are called, but for the ending: `rust-async-patterns`.
    pub fn file_name(&self) -> String {
        slug(&self.title)
    }

    /// The page that a file of the site is.
    pub fn page(&self, html: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.html == html)
    }
}

/// Words as a part of a file's name.
fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("-").to_ascii_lowercase()
}

/// With what the book was verified: `Tokio 1.54.1 and Rust 1.95.0, at commit 1a2b3c4d5e`.
fn edition(project: &Project) -> String {
    let crates = ["tokio", "rust"].into_iter().filter_map(|name| {
        let version = match name {
            "rust" => provenance::compiler(project),
            name => lock::version(project, name),
        };
        // A book without Tokio, or without a compiler to name.
        Some(format!(
            "{}{} {}",
            name[..1].to_ascii_uppercase(),
            &name[1..],
            version.ok()?
        ))
    });
    let mut edition = crates.collect::<Vec<_>>().join(" and ");
    if let Some(commit) = provenance::commit(project) {
        edition.push_str(", ");
        edition.push_str(&commit.in_words());
    }
    edition
}

/// Reads the pages one after the other.
struct Reader<'a> {
    site: &'a Path,
    pages: Vec<Page>,
}

impl Reader<'_> {
    fn read(&mut self, items: &[BookItem]) -> Result<Vec<Item>> {
        let mut contents: Vec<Item> = Vec::new();
        let mut in_part = false;
        for item in items {
            match item {
                BookItem::PartTitle(title) => {
                    in_part = true;
                    contents.push(Item {
                        title: title.clone(),
                        page: None,
                        children: Vec::new(),
                    });
                }
                BookItem::Chapter(chapter) => {
                    let entry = self.chapter(chapter)?;
                    // What stands behind the last part has no number, and belongs to none.
                    in_part &= chapter.number.is_some();
                    match contents.last_mut().filter(|_| in_part) {
                        Some(part) => part.children.push(entry),
                        None => contents.push(entry),
                    }
                }
                BookItem::Separator => {}
            }
        }
        Ok(contents)
    }

    fn chapter(&mut self, chapter: &Chapter) -> Result<Item> {
        let source = chapter.source_path.as_deref();
        let source = source.with_context(|| format!("`{}` has no page yet", chapter.name))?;
        let html = source.with_extension("html");
        let html = html.to_string_lossy().replace('\\', "/");
        let rendered = fs::read_to_string(self.site.join(&html))
            .with_context(|| format!("cannot read the built page {html}"))?;
        let text = tree::of_page(&rendered)
            .with_context(|| format!("the built page {html} has no <main>, where its text is"))?;
        self.pages.push(Page {
            title: chapter.name.clone(),
            html,
            expanded: chapter.content.clone(),
            text,
        });
        let page = Some(self.pages.len() - 1);
        Ok(Item {
            title: chapter.name.clone(),
            page,
            children: self.read(&chapter.sub_items)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_is_made_of_the_title() {
        assert_eq!(slug("Rust Async Patterns"), "rust-async-patterns");
        assert_eq!(slug("C++: a “guide”"), "c-a-guide");
    }

    #[test]
    fn the_rights_are_those_that_the_readme_tells() {
        let readme = include_str!("../../../README.md");
        let license = readme
            .split("## License")
            .nth(1)
            .expect("README.md tells the license");
        let mut words = String::new();
        for piece in license.trim().split('[') {
            // `text](address) more`
            match piece.split_once("](") {
                Some((text, rest)) => {
                    words.push_str(text);
                    words.push_str(rest.split_once(')').map_or("", |(_, rest)| rest));
                }
                None => words.push_str(piece),
            }
        }
        assert_eq!(words, RIGHTS);
    }
}
