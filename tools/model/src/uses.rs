//! The pages, and which of them use which programs.

use crate::crate_file::CrateFile;
use crate::directive::{self, Directive, Malformed, Placed};
use crate::program::ProgramId;
use crate::project::Project;
use std::sync::Arc;

/// A page with what was understood of it.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its file, relative to the book's root: `src/tasks/waiting.md`.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Its directives, in order.
    pub directives: Vec<Placed>,
    /// Everything that looks like a directive but is not.
    pub malformed: Vec<Malformed>,
}

impl Page {
    /// Understands the text of a page.
    pub fn parse(file: &str, text: &str) -> Self {
        let (directives, malformed) = directive::find(text);
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
            directives,
            malformed,
        }
    }

    /// Whether it has an index, which repeats what other pages say.
    pub fn has_index(&self) -> bool {
        let mut directives = self.directives.iter();
        directives.any(|it| matches!(it.directive, Ok(Directive::Index(_))))
    }
}

/// All pages below `src/`, by file. A page that cannot be read is left out: that is reported where it is built.
pub fn pages(project: &Project) -> Arc<Vec<Page>> {
    project.once("src", || {
        let files = pages_below(project, "src").into_iter();
        files
            .filter_map(|file| Some(Page::parse(&file, &project.read(&file).ok()?)))
            .collect()
    })
}

/// A directive on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The page, relative to the book's root: `src/tasks/waiting.md`.
    pub page: String,
    /// Its line there, from 1.
    pub line: usize,
    /// The directive's name: `listing`, `output`, ...
    pub directive: String,
    /// What it names: `tasks/join_set:pattern`.
    pub argument: String,
    /// What it asks for; `None` if something is wrong with it, which is reported where the page is built.
    pub parsed: Option<Directive>,
}

impl Use {
    /// What it names, without anchors: a timeline can name several listings.
    pub fn listings(&self) -> impl Iterator<Item = &str> {
        let names = self.argument.split_whitespace();
        names.map(|name| name.split(':').next().unwrap_or(name))
    }
}

/// All directives on all pages below `src/`, by page and line.
pub fn all(project: &Project) -> Vec<Use> {
    let uses = pages(project);
    let uses = uses.iter().flat_map(|page| {
        page.directives.iter().map(|placed| Use {
            page: page.file.clone(),
            line: placed.line,
            directive: placed.name.clone(),
            argument: placed.argument.clone(),
            parsed: placed.directive.clone().ok(),
        })
    });
    uses.collect()
}

/// Where a program or its output is shown, each as `page:line`.
pub fn of_listing(project: &Project, name: &ProgramId) -> Vec<String> {
    let name = name.to_string();
    let places = all(project).into_iter();
    places
        .filter(|used| used.listings().any(|listing| listing == name))
        .map(|used| format!("{}:{}", used.page, used.line))
        .collect()
}

/// The files of crates, and the anchors in them, that pages show.
pub fn crate_files(project: &Project) -> Vec<CrateFile> {
    let uses = all(project).into_iter().filter_map(|used| used.parsed);
    let files = uses.filter_map(|directive| match directive {
        Directive::Source(shown) => Some(shown),
        _ => None,
    });
    files.collect()
}

/// The Markdown files below a folder, sorted, relative to the book's root with forward slashes.
pub fn pages_below(project: &Project, folder: &str) -> Vec<String> {
    let mut pages = project.files_below(folder).unwrap_or_default();
    pages.retain(|file| file.ends_with(".md"));
    pages
}
