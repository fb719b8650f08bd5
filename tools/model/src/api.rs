//! Links from the APIs that the prose names to their documentation.
//!
//! An author writes ``[`JoinSet::join_next`]``, or `[text][tokio::task::JoinSet]`, as in a comment that
//! rustdoc reads. Where the documentation of each is stands in [`MAP`], which `cargo book bless` writes
//! after asking rustdoc, so that building a page needs neither rustdoc nor a network. What a page names
//! and the map does not have is a mistake on that page.

use crate::lock;
use crate::problem::Problem;
use crate::project::Project;
use crate::references::{self, Reference};
use crate::suggest;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Where the documentation of each API is, relative to the book's root.
pub const MAP: &str = "listings/api-links.toml";

/// The `use` lines under which the names on the pages are understood, relative to the book's root.
pub const SCOPE: &str = "listings/api-scope.rs";

/// The name under which the map lists the standard library.
pub const STD: &str = "std";

/// An API that a page names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiName {
    /// Its line on the page, from 1.
    pub line: usize,
    /// The name as it stands there: `JoinSet::join_next`, `select!`, `#[tokio::main]`.
    pub name: String,
    /// The label of the reference, which may have backticks around the name.
    pub label: String,
}

/// The APIs that a page names in links, in its order.
pub fn named(page: &str) -> Vec<ApiName> {
    let references = references::undefined(page).into_iter();
    references.filter_map(api_name).collect()
}

/// The API that a reference names, if it's meant as one.
fn api_name(reference: Reference) -> Option<ApiName> {
    let quoted = reference
        .label
        .strip_prefix('`')
        .and_then(|rest| rest.strip_suffix('`'));
    let path = Some(reference.label.as_str())
        .filter(|label| !reference.is_shortcut && label.contains("::"));
    let name = quoted.or(path)?.to_owned();
    Some(ApiName {
        line: reference.line,
        name,
        label: reference.label,
    })
}

/// The APIs that a page names, each with how many links lead to it.
pub fn links(page: &str) -> BTreeMap<String, usize> {
    let references = references::undefined_each(page);
    // `[tokio::task]` is a link if `[text][tokio::task]` on the same page is one.
    let names: BTreeMap<String, String> = references
        .iter()
        .filter_map(|reference| api_name(reference.clone()))
        .map(|api| (api.label, api.name))
        .collect();
    let mut links = BTreeMap::new();
    for name in references.iter().filter_map(|it| names.get(&it.label)) {
        *links.entry(name.clone()).or_default() += 1;
    }
    links
}

/// Where the documentation of an API is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The package, as in Cargo.lock, or [`STD`].
    pub package: String,
    /// The page and fragment below the package's documentation: `tokio/task/struct.JoinSet.html`.
    pub page: String,
}

/// Where the documentation of each API is that the pages name.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Map(pub BTreeMap<String, Place>);

impl Map {
    /// The map in [`MAP`]; an empty one where the book has none.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no map.
    pub fn read(project: &Project) -> Result<Arc<Self>, Problem> {
        let map = project.once(MAP, || Self::parse(project).map(Arc::new));
        map.as_ref().clone()
    }

    fn parse(project: &Project) -> Result<Self, Problem> {
        if !project.has(MAP) {
            return Ok(Self::default());
        }
        let packages: BTreeMap<String, BTreeMap<String, String>> =
            toml::from_str(&project.read(MAP)?).map_err(|error| {
                Problem::of(
                    MAP,
                    format!("is not a map of APIs; `{BLESS}` writes it again: {error}"),
                )
            })?;
        let entries = packages.into_iter().flat_map(|(package, names)| {
            let place = move |page| Place {
                package: package.clone(),
                page,
            };
            names
                .into_iter()
                .map(move |(name, page)| (name, place(page)))
        });
        Ok(Self(entries.collect()))
    }

    /// The text of [`MAP`].
    pub fn to_toml(&self) -> String {
        let mut by_package: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, place) in &self.0 {
            let line = format!("{:?} = {:?}\n", name, place.page);
            by_package.entry(&place.package).or_default().push(line);
        }
        let mut text = format!(
            "# Where the documentation of each API is that a page names. `{BLESS}` writes this file:\n\
             # rustdoc resolves the names, in the versions that Cargo.lock holds.\n"
        );
        for (package, lines) in by_package {
            let _ = write!(text, "\n[{package}]\n{}", lines.concat());
        }
        text
    }

    /// The address of an API's documentation, in the version that the book's programs are built with.
    ///
    /// # Errors
    ///
    /// What an author does who named an API that the map does not have; or Cargo.lock does not have its
    /// package.
    pub fn url(&self, project: &Project, name: &str) -> Result<String, String> {
        let place = self.0.get(name).ok_or_else(|| {
            let near = suggest::nearest(name, self.0.keys().map(String::as_str));
            let hint = near.map_or(String::new(), |near| format!(" Did you mean `{near}`?"));
            format!(
                "`{name}` is no API whose documentation is known.{hint} If it exists, `{BLESS}` finds it and \
                 writes it to {MAP}"
            )
        })?;
        let to_string = |problem: Problem| problem.to_string();
        if place.package == STD {
            let version = lock::version(project, "rust").map_err(to_string)?;
            return Ok(format!(
                "https://doc.rust-lang.org/{version}.0/{}",
                place.page
            ));
        }
        // Of several versions, the listings' own one.
        let version = lock::version(project, &place.package)
            .or_else(|_| lock::locked(project, &place.package))
            .map_err(to_string)?;
        Ok(format!(
            "https://docs.rs/{}/{version}/{}",
            place.package, place.page
        ))
    }
}

/// The command that looks up every API that the pages name.
pub const BLESS: &str = "cargo book bless --api-links";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_as_an_api_is_found() {
        let page = "[`JoinSet::len`] and [text][tokio::sync::Mutex] and [`Burst`][a::Burst]\n\
                    [x] [y][z] [`quoted`](page.md) `` [`no`] ``\n";
        let names: Vec<_> = named(page).into_iter().map(|api| api.name).collect();
        assert_eq!(names, ["JoinSet::len", "tokio::sync::Mutex", "a::Burst"]);
    }

    #[test]
    fn the_map_is_read_as_it_was_written() {
        let place = |package: &str, page: &str| Place {
            package: package.to_owned(),
            page: page.to_owned(),
        };
        let map = Map(BTreeMap::from([
            (
                "JoinSet".to_owned(),
                place("tokio", "tokio/task/struct.JoinSet.html"),
            ),
            (
                "Result<T, E>".to_owned(),
                place(STD, "core/result/enum.Result.html"),
            ),
        ]));
        let book = scratch::Scratch::sound();
        let project = Project::open(book.root()).expect("a book");
        assert_eq!(Map::read(&project).as_deref(), Ok(&Map::default()));
        book.write(MAP, map.to_toml());
        assert_eq!(Map::read(&project).as_deref(), Ok(&map));
        assert_eq!(
            map.url(&project, "Result<T, E>").as_deref(),
            Ok("https://doc.rust-lang.org/1.95.0/core/result/enum.Result.html")
        );
        book.write(
            "Cargo.lock",
            "[[package]]\nname = \"tokio\"\nversion = \"1.2.3\"\nsource = \"registry\"\n",
        );
        assert_eq!(
            map.url(&project, "JoinSet").as_deref(),
            Ok("https://docs.rs/tokio/1.2.3/tokio/task/struct.JoinSet.html")
        );
    }
}
