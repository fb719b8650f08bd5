//! The whole book: its table of contents, and every page as Markdown and as rendered.

use crate::markdown;
use crate::tree::{self, Node, escape};
use anyhow::{Context, Result};
use mdbook_driver::MDBook;
use mdbook_driver::book::{BookItem, Chapter};
use mdbook_driver::config::BookConfig;
use model::{Project, lock, provenance};
use render::site::build_and_keep;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The license of the book. README.md says the same, and a test compares the two.
pub const RIGHTS: &str = "Code: MIT or Apache-2.0, as you prefer. Text: CC BY 4.0.";

/// The date of a book that isn't in a git repository: the earliest that a ZIP can store.
const NO_DATE: &str = "1980-01-01T00:00:00Z";

/// The whole book.
#[derive(Debug)]
pub struct Book {
    /// Its title.
    pub title: String,
    /// What it is about, in a sentence.
    pub description: String,
    /// Its language, such as `en`.
    pub language: String,
    /// Its authors, if book.toml names them.
    pub authors: Vec<String>,
    /// When its commit was made, in UTC: `2026-11-23T04:05:06Z`. The same commit makes the same files.
    pub date: String,
    /// The versions that it was verified with, and its commit.
    pub edition: String,
    /// Its pages, in order.
    pub pages: Vec<Page>,
    /// The table of contents, which names every page once.
    pub contents: Vec<Item>,
    /// The rendered pages with their sources.
    pub rendered: Vec<render::site::Page>,
    /// The folder of the built site.
    pub site: PathBuf,
}

/// A page.
#[derive(Debug)]
pub struct Page {
    /// Its title in the table of contents.
    pub title: String,
    /// Its file in the site, with forward slashes: `tasks/waiting.html`.
    pub html: String,
    /// Its Markdown, with its directives expanded, as mdBook renders it.
    pub expanded: String,
    /// The `<main>` element of the rendered page.
    pub main: String,
    text: OnceLock<Vec<Node>>,
    markdown: OnceLock<String>,
}

impl Page {
    /// A page with its `<main>` element as HTML.
    pub(crate) fn new(title: String, html: String, expanded: String, main: String) -> Self {
        Self {
            title,
            html,
            expanded,
            main,
            text: OnceLock::new(),
            markdown: OnceLock::new(),
        }
    }

    /// What the rendered page contains. Parsed on the first call.
    pub fn text(&self) -> &[Node] {
        self.text.get_or_init(|| tree::parse_main(&self.main))
    }

    /// The page as plain Markdown. Converted on the first call.
    pub fn markdown(&self) -> &str {
        self.markdown
            .get_or_init(|| markdown::plain(&self.expanded))
    }

    /// Its file, with another extension.
    pub fn file(&self, extension: &str) -> String {
        let stem = self.html.strip_suffix("html").unwrap_or(&self.html);
        format!("{stem}{extension}")
    }

    /// Its first heading, which can be longer than its title in the table of contents; the title if it has none.
    pub fn heading(&self) -> String {
        let mut heading = None;
        tree::each(self.text(), &mut |element| {
            if element.name == "h1" && heading.is_none() {
                heading = Some(element.text());
            }
        });
        heading.unwrap_or_else(|| self.title.clone())
    }

    /// Its headings of the second level, with their ids.
    pub fn sections(&self) -> Vec<(String, String)> {
        let mut sections = Vec::new();
        tree::each(self.text(), &mut |element| {
            if let ("h2", Some(id)) = (element.name.as_str(), element.attribute("id")) {
                sections.push((id.to_owned(), element.text()));
            }
        });
        sections
    }
}

/// An entry of the table of contents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Item {
    /// Its title.
    pub title: String,
    /// The index of its page in [`Book::pages`]; none if it is the title of a part.
    pub page: Option<usize>,
    /// The entries below it.
    pub children: Vec<Item>,
}

impl Book {
    /// Renders the pages into a folder, which is emptied first.
    ///
    /// # Errors
    ///
    /// `model::Problems` with every mistake in the book, each with its file and line; or mdBook's error.
    pub fn build(project: &Project, site: &Path) -> Result<Self> {
        fs::create_dir_all(site).with_context(|| format!("cannot make {}", site.display()))?;
        let (rendered, book) = build_and_keep(project, site)?;
        Self::read(project, site, rendered, &book)
    }

    fn read(
        project: &Project,
        site: &Path,
        rendered: Vec<render::site::Page>,
        book: &MDBook,
    ) -> Result<Self> {
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
            date: commit_date(project).unwrap_or_else(|| NO_DATE.to_owned()),
            edition: edition(project),
            pages: reader.pages,
            contents,
            rendered,
            site: site.to_owned(),
        })
    }

    /// The name of its files, without the extension: `rust-async-patterns`.
    pub fn file_name(&self) -> String {
        slug(&self.title)
    }

    /// The day of its commit: `2026-11-23`.
    pub fn day(&self) -> &str {
        self.date.get(..10).unwrap_or(&self.date)
    }

    /// The page with this file in the site.
    pub fn page(&self, html: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.html == html)
    }

    /// Entries of the table of contents as a list in HTML. `addresses` gives a page's address, and those of its sections with
    /// their titles.
    pub(crate) fn list(&self, items: &[Item], addresses: &Addresses<'_>) -> String {
        let mut html = String::from("<ol>\n");
        for item in items {
            let page = item.page.and_then(|index| self.pages.get(index));
            let (line, sections) = match page.map(addresses) {
                Some((to, sections)) => (link(&to, &item.title), sections),
                None => (format!("<span>{}</span>", escape(&item.title)), Vec::new()),
            };
            let sections = sections
                .iter()
                .map(|(to, title)| format!("<li>{}</li>\n", link(to, title)));
            let sections: String = sections.collect();
            let below = self.list(&item.children, addresses);
            let below = sections + &below["<ol>\n".len()..below.len() - "</ol>\n".len()];
            let below = match below.is_empty() {
                true => String::new(),
                false => format!("\n<ol>\n{below}</ol>\n"),
            };
            html.push_str(&format!("<li>{line}{below}</li>\n"));
        }
        html + "</ol>\n"
    }

    /// Calls a function for every page, on all processors.
    pub(crate) fn in_parallel(&self, work: impl Fn(&Page) + Sync) {
        let next = AtomicUsize::new(0);
        let threads = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(page) = self.pages.get(next.fetch_add(1, Ordering::Relaxed)) {
                        work(page);
                    }
                });
            }
        });
    }
}

/// A page's address, and those of its sections with their titles.
type Addresses<'a> = dyn Fn(&Page) -> (String, Vec<(String, String)>) + 'a;

fn link(to: &str, text: &str) -> String {
    format!("<a href=\"{}\">{}</a>", escape(to), escape(text))
}

/// A title as a file name.
fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("-").to_ascii_lowercase()
}

/// When the commit of the book's folder was made; none if the folder is not a git repository of its own.
fn commit_date(project: &Project) -> Option<String> {
    if !project.root().join(".git").exists() {
        return None;
    }
    let output = Command::new("git")
        .args(["show", "--no-patch", "--format=%cd", "HEAD"])
        .arg("--date=format-local:%Y-%m-%dT%H:%M:%SZ")
        .env("TZ", "UTC")
        .current_dir(project.root())
        .output()
        .ok()?;
    let date = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && date.len() > 10).then(|| date.trim().to_owned())
}

/// The versions that the book was verified with: `Tokio 1.54.1 and Rust 1.95.0, at commit 1a2b3c4d5e`.
fn edition(project: &Project) -> String {
    let crates = ["tokio", "rust"].into_iter().filter_map(|name| {
        let version = match name {
            "rust" => provenance::compiler(project),
            name => lock::version(project, name),
        };
        // Some books don't use Tokio, or name no compiler.
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

/// Reads the pages in their order.
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
                    // A chapter after the last part has no number, and belongs to no part.
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
        let main = tree::main_of(&rendered)
            .with_context(|| format!("the built page {html} has no <main> element"))?;
        self.pages.push(Page::new(
            chapter.name.clone(),
            html,
            chapter.content.clone(),
            main.to_owned(),
        ));
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
    fn file_names_are_made_from_titles() {
        assert_eq!(slug("Rust Async Patterns"), "rust-async-patterns");
        assert_eq!(slug("C++: a “guide”"), "c-a-guide");
    }

    #[test]
    fn the_rights_are_those_of_the_readme() {
        let readme = include_str!("../../../README.md");
        let license = readme
            .split("## License")
            .nth(1)
            .expect("README.md has a license");
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
