//! The book's search, without a browser: the scripts of the page "Find", in an embedded JavaScript engine.

use anyhow::{Context as _, Result, anyhow};
use model::Project;
use render::find::{search, sections};
use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Persistent, Runtime, Value};

/// What the page "Find" loads before its box works.
const SCRIPTS: [&str; 2] = ["src/minisearch.js", "src/search.js"];

/// The words of a query, and the sections that it finds.
const ASK: &str =
    "(search) => (query) => search(query).map((it) => [it.address, it.title, it.sentence])";

/// The same for the sections with similar words.
const NEAREST: &str =
    "(search) => (query) => search.nearest(query).map((it) => [it.address, it.title, it.sentence])";

/// The address of each section.
const ADDRESSES: &str = "(search) => search.addresses";

/// A section that a query finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Where it is: `tasks/waiting.html#see-also`.
    pub address: String,
    /// Its heading, as Markdown.
    pub title: String,
    /// The beginning of its first sentence.
    pub sentence: String,
}

/// The search, with its index. Building it takes about a second.
pub struct Finder {
    /// From a query to its hits. Before `context`, so that it's dropped first.
    ask: Persistent<Function<'static>>,
    nearest: Persistent<Function<'static>>,
    context: Context,
    addresses: Vec<String>,
}

impl Finder {
    /// The search over the book's pages as they are now.
    ///
    /// # Errors
    ///
    /// A page can't be read, or a script fails.
    pub fn new(project: &Project) -> Result<Self> {
        let index = search::index(sections::all(project)?.as_ref());
        let scripts = SCRIPTS.map(|script| {
            let source = project.read(script);
            source.with_context(|| format!("{script} is missing"))
        });
        let [engine, search] = scripts;
        Self::with(&index.to_string(), &[&engine?, &search?])
    }

    /// A search with this index (JSON) and these scripts.
    ///
    /// # Errors
    ///
    /// A script fails.
    pub fn with(index: &str, scripts: &[&str]) -> Result<Self> {
        let runtime = Runtime::new().context("cannot start a JavaScript engine")?;
        let context = Context::full(&runtime).context("cannot start a JavaScript engine")?;
        let (ask, nearest, addresses) = context.with(|ctx| {
            for script in scripts {
                let outcome = ctx.eval::<Value<'_>, _>(*script).catch(&ctx);
                outcome.map_err(failed)?;
            }
            let index = ctx.json_parse(index)?;
            let search = call::<_, Value<'_>>(&ctx, "searchIn", (index,))?;
            let addresses = call(&ctx, ADDRESSES, (search.clone(),))?;
            let ask: Function<'_> = call(&ctx, ASK, (search.clone(),))?;
            let nearest: Function<'_> = call(&ctx, NEAREST, (search,))?;
            let saved = |it| Persistent::save(&ctx, it);
            anyhow::Ok((saved(ask), saved(nearest), addresses))
        })?;
        Ok(Self {
            ask,
            nearest,
            context,
            addresses,
        })
    }

    /// The address of each section, in the order of the book.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// The sections that a query finds, the best first: what the search box would show.
    ///
    /// # Errors
    ///
    /// The script fails.
    pub fn find(&self, query: &str) -> Result<Vec<Hit>> {
        self.ask(&self.ask, query)
    }

    /// For a query that finds nothing: sections with similar words.
    ///
    /// # Errors
    ///
    /// The script fails.
    pub fn nearest(&self, query: &str) -> Result<Vec<Hit>> {
        self.ask(&self.nearest, query)
    }

    fn ask(&self, ask: &Persistent<Function<'static>>, query: &str) -> Result<Vec<Hit>> {
        let found: Vec<Vec<String>> = self.context.with(|ctx| {
            let ask = ask.clone().restore(&ctx)?;
            ask.call((query,)).catch(&ctx).map_err(failed)
        })?;
        let hits = found.into_iter().filter_map(|row| {
            let [address, title, sentence] = row.try_into().ok()?;
            Some(Hit {
                address,
                title,
                sentence,
            })
        });
        Ok(hits.collect())
    }
}

/// Calls the function that an expression is.
fn call<'js, A, R>(ctx: &Ctx<'js>, function: &str, arguments: A) -> Result<R>
where
    A: rquickjs::function::IntoArgs<'js>,
    R: rquickjs::FromJs<'js>,
{
    let function: Function<'js> = ctx.eval(function).catch(ctx).map_err(failed)?;
    function.call(arguments).catch(ctx).map_err(failed)
}

/// An exception, with the script's own words.
fn failed(error: CaughtError<'_>) -> anyhow::Error {
    anyhow!("{error}")
}
