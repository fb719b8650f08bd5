//! What a reader finds things by: the sections of all pages, and the indexes that are made of them.
//!
//! Everything is drawn from the pages and listings. `{{#index messages}}` and `{{#index apis a-i}}`, which may be spread over
//! several pages by the first letters of the names, are lists. `{{#index search}}` is a search box with its index. The index is
//! in the page itself, because a page that was opened as a file can't load one, and no other page has to carry it.

mod letters;
pub mod lists;
pub mod search;
pub mod sections;
pub mod words;

use model::directive::Index;
use model::{Problem, Project};

/// An index, as Markdown, for the page of that file (`src/practices/messages.md`).
///
/// # Errors
///
/// A page or listing cannot be read, or the pages of the index of APIs don't have each letter once.
pub fn index(project: &Project, file: &str, index: &Index) -> Result<String, String> {
    let up = "../".repeat(file.trim_start_matches("src/").matches('/').count());
    let to_string = |problem: Problem| problem.to_string();
    let sections = sections::all(project).map_err(to_string)?;
    match index {
        Index::Messages(except) => {
            let parts = project.parts().map_err(|error| format!("{error:#}"))?;
            match except {
                Some(part) if !parts.contains(part) => Err(format!(
                    "there is no part `{part}` whose messages could be left out"
                )),
                _ => Ok(lists::messages(&sections, except.as_deref(), &up)),
            }
        }
        Index::Apis(letters) => {
            letters::check(project, letters)?;
            lists::apis(project, &sections, letters, &up).map_err(to_string)
        }
        Index::Search => Ok(search::html(&sections)),
    }
}
