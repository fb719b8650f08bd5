//! The mdBook preprocessor: the same code for `cargo book`, for the stock `mdbook`, and for the tests.

use crate::expand::Expander;
use crate::provenance;
use anyhow::{Context, Result};
use mdbook_preprocessor::book::{Book, BookItem};
use mdbook_preprocessor::config::Config;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use model::provenance::{PAGE, commit};
use model::{Problems, Project};
use std::io::{Read, Write};

/// Expands the directives of every page.
pub struct Directives {
    project: Project,
}

impl Directives {
    /// The name under which book.toml configures it.
    pub const NAME: &str = "book";

    /// A preprocessor for the pages of a project.
    pub fn new(project: Project) -> Self {
        Self { project }
    }
}

impl Preprocessor for Directives {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn run(&self, ctx: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let repository = repository(&ctx.config);
        let expander = Expander::new(&self.project, repository.as_deref());
        let src = ctx.config.book.src.to_string_lossy().into_owned();
        let mut problems = Vec::new();
        let has_line = self.project.has(&format!("{src}/{PAGE}"));
        let commit = has_line.then(|| commit(&self.project)).flatten();
        book.for_each_mut(|item| {
            let BookItem::Chapter(chapter) = item else {
                return;
            };
            let Some(path) = &chapter.source_path else {
                return;
            };
            let page = path.to_string_lossy().replace('\\', "/");
            match expander.expand(&format!("{src}/{page}"), &chapter.content) {
                Ok(content) => chapter.content = content,
                Err(found) => problems.extend(found),
            }
            if has_line {
                match provenance::line(&self.project, commit.as_ref(), &page) {
                    Ok(line) => chapter.content.push_str(&line),
                    Err(problem) => problems.push(problem),
                }
            }
        });
        Problems::none_in(problems)?;
        Ok(book)
    }
}

/// The repository's address, where one is set: `output.html.git-repository-url` of book.toml, or the
/// environment variable `MDBOOK_OUTPUT__HTML__GIT_REPOSITORY_URL`.
fn repository(config: &Config) -> Option<String> {
    let url = config
        .get::<String>("output.html.git-repository-url")
        .ok()
        .flatten()?;
    (!url.is_empty()).then_some(url)
}

/// Serves the stock `mdbook` binary: reads the book from its pipe, and writes it back expanded.
///
/// # Errors
///
/// The book has problems, or what arrives is not mdBook's protocol.
pub fn serve_stock_mdbook(input: impl Read, output: impl Write) -> Result<()> {
    let (ctx, book) = mdbook_preprocessor::parse_input(input)?;
    let project = Project::open(&ctx.root)?;
    let book = Directives::new(project).run(&ctx, book)?;
    serde_json::to_writer(output, &book).context("cannot hand the book back to mdbook")
}
