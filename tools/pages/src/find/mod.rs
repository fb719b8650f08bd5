//! What a reader finds things by: the sections of all pages, and the indexes that are made of them.
//!
//! Everything is drawn from the pages and listings. `{{#index messages}}` and `{{#index apis}}` are lists;
//! `{{#index search}}` is a search box with all that it knows. That index stands in the page itself: a page
//! opened as a file may not load one, and no other page has to carry it. (The kept libraries, elasticlunr
//! and minisearch, and pagefind with its WebAssembly, take ten times the room for each page, or need a
//! server.)

pub mod lists;
pub mod search;
pub mod sections;
pub mod words;

use crate::problem::Problem;
use crate::project::Project;

/// The page that has the indexes, relative to src/.
pub const PAGE: &str = "find.md";

/// What there are indexes of.
const KINDS: [&str; 3] = ["messages", "apis", "search"];

/// An index, as Markdown.
///
/// # Errors
///
/// There is no such index, or a page or listing cannot be read.
pub fn index(project: &Project, kind: &str) -> Result<String, String> {
    let to_string = |problem: Problem| problem.to_string();
    let sections = || sections::all(project).map_err(to_string);
    match kind {
        "messages" => Ok(lists::messages(&sections()?)),
        "apis" => lists::apis(project, &sections()?).map_err(to_string),
        "search" => Ok(search::html(&sections()?)),
        _ => Err(format!(
            "there is no index of `{kind}`; there are {}",
            KINDS.join(", ")
        )),
    }
}
