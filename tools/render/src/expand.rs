//! Replaces each directive of a page with what it asks for.

use crate::program_figure::ProgramFigures;
use crate::timeline_figure;
use crate::{
    cancel_safety, find, manifest_figure, measured, provenance, source_figure, table_anchors,
};
use model::directive::{Directive, Placed};
use model::hand_written::hand_written_code;
use model::uses::Page;
use model::{Problem, Project, api, census, lock};
use std::collections::BTreeSet;

/// Expands pages.
pub struct Expander<'a> {
    project: &'a Project,
    repository: Option<&'a str>,
}

impl<'a> Expander<'a> {
    /// An expander for the pages of a project; with the address of the repository, the captions of
    /// listings link to it.
    pub fn new(project: &'a Project, repository: Option<&'a str>) -> Self {
        Self {
            project,
            repository: repository.map(|url| url.trim_end_matches('/')),
        }
    }

    /// The page with every directive replaced.
    ///
    /// `file` is the page's path relative to the book's root, for messages.
    ///
    /// # Errors
    ///
    /// Everything that is wrong on the page, in the order of its lines.
    pub fn expand(&self, file: &str, text: &str) -> Result<String, Vec<Problem>> {
        // Nothing after this needs the line ends of a page that was written on Windows.
        let page = Page::parse(file, &text.replace("\r\n", "\n"));
        let mut problems = hand_written_code(file, &page.text);
        let malformed = page.malformed.iter();
        problems.extend(malformed.map(|it| Problem::at(file, it.line, &it.message)));
        let mut expanded = String::new();
        let mut copied = 0;
        let mut seen = BTreeSet::new();
        for placed in &page.directives {
            expanded.push_str(&page.text[copied..placed.range.start]);
            copied = placed.range.end;
            let is_first = match &placed.directive {
                Ok(Directive::Program(_, shown)) => seen.insert(&shown.id),
                _ => false,
            };
            match self.replacement(file, placed, is_first) {
                Ok(text) => expanded.push_str(&text),
                Err(message) => problems.push(Problem::at(file, placed.line, message)),
            }
        }
        expanded.push_str(&page.text[copied..]);
        let mut expanded = table_anchors::with_links(&expanded);
        match self.api_links(&page) {
            Ok(definitions) => expanded.push_str(&definitions),
            Err(found) => problems.extend(found),
        }
        if problems.is_empty() {
            Ok(expanded)
        } else {
            problems.sort();
            Err(problems)
        }
    }

    /// Definitions for the references to APIs on a page.
    fn api_links(&self, page: &Page) -> Result<String, Vec<Problem>> {
        let named = api::named(&page.text);
        if named.is_empty() {
            return Ok(String::new());
        }
        let map = api::Map::read(self.project).map_err(|problem| vec![problem])?;
        let mut definitions = BTreeSet::new();
        let mut problems = Vec::new();
        for api in named {
            match map.url(self.project, &api.name) {
                Ok(url) => {
                    definitions.insert(format!("[{}]: <{url}>\n", api.label));
                }
                Err(message) => problems.push(Problem::at(&page.file, api.line, message)),
            }
        }
        if problems.is_empty() {
            let lines: String = definitions.into_iter().collect();
            Ok(format!("\n\n{lines}"))
        } else {
            Err(problems)
        }
    }

    /// What a directive asks for; `is_first` if the page shows nothing of that program before.
    fn replacement(&self, file: &str, placed: &Placed, is_first: bool) -> Result<String, String> {
        let directive = placed.directive.as_ref().map_err(String::clone)?;
        if !directive.is_inline() && !placed.alone {
            return Err(format!(
                "`{{{{#{}}}}}` must stand alone on its line, from the first column on, \
                 outside of lists, quotes and tables",
                placed.name
            ));
        }
        let project = self.project;
        let programs = ProgramFigures::new(project, self.repository);
        let to_string = |problem: Problem| problem.to_string();
        match directive {
            Directive::Program(kind, shown) => programs.program(*kind, shown, is_first),
            Directive::Source(shown) => source_figure::figure(project, shown, self.repository),
            Directive::Output(name) => programs.output(name),
            Directive::Timeline(names) => timeline_figure::figure(project, file, names),
            Directive::Index(index) => find::index(project, file, index),
            Directive::Manifest(part) => manifest_figure::figure(project, part, self.repository),
            Directive::Measured(name) => measured::figure(project, name),
            // Its file is the folder of the pages, and says nothing.
            Directive::Count(kind) => census::count(project, kind)
                .map(|number| number.to_string())
                .map_err(|problem| problem.message),
            Directive::Since(since) => since.link(project).map_err(to_string),
            Directive::CancelSafety(group) => cancel_safety::table(project, group, self.repository),
            Directive::Aliases(_) => Ok(String::new()),
            Directive::Versions => provenance::versions(project).map_err(to_string),
            Directive::Version(name) => lock::version(project, name).map_err(to_string),
        }
    }
}
