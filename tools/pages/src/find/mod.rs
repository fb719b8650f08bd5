//! What a reader finds things by: the sections of all pages, and the indexes that are made of them.
//!
//! Everything is drawn from the pages and listings. `{{#index messages}}` and `{{#index apis a-i}}`, which may
//! be spread over several pages by the first letters of the names, are lists; `{{#index search}}` is a search box with all that it knows. That index stands in the page itself: a page
//! opened as a file may not load one, and no other page has to carry it. (The kept libraries, elasticlunr
//! and minisearch, and pagefind with its WebAssembly, take ten times the room for each page, or need a
//! server.)

mod letters;
pub mod lists;
pub mod search;
pub mod sections;
pub mod words;

use crate::problem::Problem;
use crate::project::Project;

/// What there are indexes of.
const KINDS: [&str; 3] = ["messages", "apis a-z", "search"];

/// Whether a page has an index: what is found, and not what is sought.
pub fn has_index(page: &str) -> bool {
    page.contains("{{#index ")
}

/// An index, as Markdown, for the page of that file (`src/practices/messages.md`).
///
/// # Errors
///
/// There is no such index, or a page or listing cannot be read.
pub fn index(project: &Project, file: &str, kind: &str) -> Result<String, String> {
    let up = "../".repeat(file.trim_start_matches("src/").matches('/').count());
    let to_string = |problem: Problem| problem.to_string();
    let sections = || sections::all(project).map_err(to_string);
    if let Some(letters) = kind.strip_prefix("apis ") {
        let letters = letters::of_page(project, letters)?;
        return lists::apis(project, &sections()?, &letters, &up).map_err(to_string);
    }
    match kind {
        "messages" => Ok(lists::messages(&sections()?, &up)),
        "search" => Ok(search::html(&sections()?)),
        _ => Err(format!(
            "there is no index of `{kind}`; there are {}",
            KINDS.join(", ")
        )),
    }
}
