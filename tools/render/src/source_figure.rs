//! The figures of files of crates that aren't parts.

use crate::caption::{TOOLS, caption, figcaption};
use model::Project;
use model::crate_file::CrateFile;
use model::hidden::with_hidden_lines;
use model::html::{escape, fenced};
use model::source::Line;

/// A file, or what one of its anchors holds. The page has nothing of the rest, because the file is no program that a reader
/// could run alone.
///
/// # Errors
///
/// There is no such file or anchor, nothing to show, or no caption.
pub fn figure(
    project: &Project,
    shown: &CrateFile,
    repository: Option<&str>,
) -> Result<String, String> {
    let part = shown.shown(project)?;
    let (file, id) = (shown.file(), shown.figure_id());
    let lines = part.text.lines().map(|text| Line { text, shown: true });
    let code = match shown.is_rust() {
        true => with_hidden_lines(&lines.collect::<Vec<_>>()),
        false => part.text,
    };
    let block = fenced(shown.language(), &code);
    if shown.is_output() {
        return Ok(format!(
            "<figure class=\"output\" id=\"{id}\">\n<figcaption><span>Output</span> <span class=\"where\"><code>{file}</code></span></figcaption>\n\n{block}\n</figure>\n"
        ));
    }
    let figcaption = match part.caption {
        Some(text) => figcaption(&id, &caption(&text), (&file, repository), "", TOOLS),
        None => quiet(&id, &file, repository),
    };
    let excerpt = shown.anchor.as_ref().map_or("", |_| " data-excerpt");
    Ok(format!(
        "<figure class=\"listing\" id=\"{id}\" data-source=\"{shown}\"{excerpt}>\n{figcaption}\n\n{block}\n</figure>\n"
    ))
}

/// A caption that says no more than where the lines are: as a link to the figure itself, and to the repository if its address
/// is known.
fn quiet(id: &str, file: &str, repository: Option<&str>) -> String {
    let place = repository.map_or(String::new(), |url| {
        let url = escape(url);
        format!(
            " <span class=\"where\"><a href=\"{url}/blob/HEAD/{file}\">The whole file</a></span>"
        )
    });
    format!(
        "<figcaption class=\"quiet\"><a class=\"caption\" href=\"#{id}\"><code>{file}</code></a>{place}{TOOLS}</figcaption>"
    )
}
