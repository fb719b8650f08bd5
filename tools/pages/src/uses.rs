//! Which pages use which listings, and where.

use crate::directive;
use crate::listing::ListingName;
use crate::project::Project;
use std::fs;
use std::path::Path;

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
}

impl Use {
    /// What it names, without anchors: a timeline can name several listings.
    pub fn listings(&self) -> impl Iterator<Item = &str> {
        let names = self.argument.split_whitespace();
        names.map(|name| name.split(':').next().unwrap_or(name))
    }
}

/// All directives on all pages below `src/`, by page and line. A page that cannot be read has none:
/// that is reported where it is built.
pub fn all(project: &Project) -> Vec<Use> {
    let mut uses = Vec::new();
    for page in pages_below(project, "src") {
        let Ok(text) = project.read(&page) else {
            continue;
        };
        uses.extend(directive::find(&text).0.into_iter().map(|directive| Use {
            page: page.clone(),
            line: directive.line,
            directive: directive.name,
            argument: directive.argument,
        }));
    }
    uses
}

/// Where a listing or its output is shown, each as `page:line`.
pub fn of_listing(project: &Project, name: &ListingName) -> Vec<String> {
    let name = name.to_string();
    let is_shown = |used: &Use| used.listings().any(|listing| listing == name);
    let places = all(project).into_iter().filter(is_shown);
    places
        .map(|used| format!("{}:{}", used.page, used.line))
        .collect()
}

/// The Markdown files below a folder, sorted, relative to the book's root with forward slashes.
pub fn pages_below(project: &Project, folder: &str) -> Vec<String> {
    let mut pages = Vec::new();
    collect(&project.root().join(folder), folder, &mut pages);
    pages.sort();
    pages
}

fn collect(folder: &Path, name: &str, pages: &mut Vec<String>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let Ok(file) = entry.file_name().into_string() else {
            continue;
        };
        let below = format!("{name}/{file}");
        // A link to a folder is not followed: it may lead round in a circle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), &below, pages);
        } else if file.ends_with(".md") {
            pages.push(below);
        }
    }
}
