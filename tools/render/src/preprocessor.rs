//! The mdBook preprocessor: the same code for `cargo book`, for the stock `mdbook`, and for the tests.

use crate::expand::Expander;
use crate::provenance;
use anyhow::{Context, Result};
use mdbook_preprocessor::book::{Book, BookItem};
use mdbook_preprocessor::config::Config;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use model::provenance::{PAGE, commit};
use model::{Problem, Problems, Project};
use std::io::{Read, Write};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

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
        let mut pages = Vec::new();
        // `Book::iter` has another order.
        book.for_each_mut(|item| {
            if let Some((page, text)) = page_of(item) {
                pages.push((page, text.to_owned()));
            }
        });
        let has_line = self.project.has(&format!("{src}/{PAGE}"));
        let commit = has_line.then(|| commit(&self.project)).flatten();
        let expand = |(page, text): &(String, String)| {
            let mut content = expander.expand(&format!("{src}/{page}"), text)?;
            if has_line {
                let line = provenance::line(&self.project, commit.as_ref(), page);
                content.push_str(&line.map_err(|problem| vec![problem])?);
            }
            Ok(content)
        };
        let mut expanded = on_all_cores(&pages, expand).into_iter();
        let mut problems = Vec::new();
        book.for_each_mut(|item| {
            if page_of(item).is_none() {
                return;
            }
            match (item, expanded.next()) {
                (BookItem::Chapter(chapter), Some(Ok(content))) => chapter.content = content,
                (_, Some(Err(found))) => problems.extend::<Vec<Problem>>(found),
                _ => {}
            }
        });
        Problems::none_in(problems)?;
        Ok(book)
    }
}

/// The path of a page below the folder of the pages, and its text; none for a part's title, or a chapter without a page.
fn page_of(item: &BookItem) -> Option<(String, &str)> {
    let BookItem::Chapter(chapter) = item else {
        return None;
    };
    let path = chapter.source_path.as_ref()?;
    Some((path.to_string_lossy().replace('\\', "/"), &chapter.content))
}

/// What `make` makes of each item, in order. (rayon would be built before the first page is served.)
fn on_all_cores<T: Sync, R: Send>(items: &[T], make: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let share = items.len().div_ceil(cores).max(1);
    let make_share = |share: &[T]| share.iter().map(&make).collect::<Vec<_>>();
    thread::scope(|scope| {
        let shares = items.chunks(share);
        let threads: Vec<_> = shares
            .map(|share| scope.spawn(move || make_share(share)))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .flat_map(|made| made.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
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
