//! Messages that a page lists with their cause: each must have been printed by a program of the book.

use crate::{numbered, programs};
use model::problem::Problem;
use model::project::Project;
use model::uses;

/// How the header of a table of messages starts.
const HEADER: &str = "| Message |";

/// Messages in tables that neither a listing printed nor the compiler.
///
/// # Errors
///
/// A page or an output can't be read.
pub fn never_printed(project: &Project) -> Result<Vec<Problem>, Problem> {
    let mut problems = Vec::new();
    let printed = all_printed(project)?;
    for page in uses::pages(project).iter() {
        for (line, cell) in cells(&page.text) {
            for message in code_spans(cell) {
                if !printed.contains(message) {
                    let message = format!("no program of the book printed `{message}`");
                    problems.push(Problem::at(&page.file, line, message));
                }
            }
        }
    }
    Ok(problems)
}

/// A page without the messages in its tables, which [`never_printed`] checks.
pub fn removed_from(page: &str) -> String {
    let mut rest: Vec<String> = page.lines().map(str::to_owned).collect();
    for (line, cell) in cells(page) {
        rest[line - 1] = rest[line - 1].replacen(cell, "", 1);
    }
    rest.join("\n")
}

/// Everything that listings print, to standard output and error, and that the compiler says.
fn all_printed(project: &Project) -> Result<String, Problem> {
    let mut printed = String::new();
    for program in programs::all(project)? {
        let is_printed = |file: &&String| !file.ends_with(".json");
        for file in program.records.iter().filter(is_printed) {
            // tests/outputs.rs reports an output that is missing.
            if project.has(file) {
                printed.push_str(&project.read(file)?);
            }
        }
    }
    Ok(printed)
}

/// The first cells of the rows in tables of messages, with their lines.
fn cells(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut end = 0;
    numbered(page).filter_map(move |(number, line)| {
        // The table continues to the first line that is not a row.
        if line.starts_with(HEADER) {
            end = number + 1;
            return None;
        }
        if number != end || !line.starts_with('|') {
            return None;
        }
        end = number + 1;
        let cell = line.trim_start_matches('|').split(" | ").next()?;
        (!line.starts_with("|---")).then_some((number, cell.trim()))
    })
}

/// The text of the code spans in a cell, with one or two backticks.
fn code_spans(cell: &str) -> Vec<&str> {
    let mut spans = Vec::new();
    let mut rest = cell;
    while let Some((_, after)) = rest.split_once('`') {
        let (fence, after) = match after.strip_prefix('`') {
            Some(after) => ("``", after),
            None => ("`", after),
        };
        let Some((span, after)) = after.split_once(fence) else {
            break;
        };
        spans.push(span.trim());
        rest = after;
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn a_message_that_nothing_printed_is_found_with_its_line() {
        let book = Scratch::sound();
        book.write("listings/demo/src/bin/hello.out", "it `is` said\n");
        let page = "# M\n\n| Message | Cause |\n|---|---|\n| `` it `is` said `` | a |\n| `said` … `never said` | b |\n\n`other`\n";
        book.write("src/page.md", page);
        assert_eq!(
            removed_from(page),
            "# M\n\n| Message | Cause |\n|---|---|\n|  | a |\n|  | b |\n\n`other`"
        );
        let project = Project::open(book.root()).expect("a book");
        let found = never_printed(&project).expect("the pages can be read");
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["src/page.md:6: no program of the book printed `never said`"]
        );
    }
}
