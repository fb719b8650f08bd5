//! Whether each message that a page lists with its cause was printed by a program of the book.

use model::problem::Problem;
use model::project::Project;
use model::uses;

/// How the header begins of a table of messages.
const HEADER: &str = "| Message |";

/// Messages in tables that no program printed: none of what the listings print and the compiler says has them.
///
/// # Errors
///
/// A page cannot be read.
pub fn never_printed(project: &Project) -> Result<Vec<Problem>, Problem> {
    let mut problems = Vec::new();
    let mut printed: Option<String> = None;
    for page in uses::pages_below(project, "src") {
        let text = project.read(&page)?;
        if !text.contains(HEADER) {
            continue;
        }
        let printed = printed.get_or_insert_with(|| all_printed(project));
        for (line, cell) in cells(&text) {
            for message in codes(cell) {
                if !printed.contains(message) {
                    problems.push(Problem::at(
                        &page,
                        line,
                        format!("no program of the book printed `{message}`"),
                    ));
                }
            }
        }
    }
    Ok(problems)
}

/// A page without the messages in its tables, which [`never_printed`] looks for.
pub fn left_out(page: &str) -> String {
    let mut rest: Vec<String> = page.lines().map(str::to_owned).collect();
    for (line, cell) in cells(page) {
        rest[line - 1] = rest[line - 1].replacen(cell, "", 1);
    }
    rest.join("\n")
}

/// All that listings print, on either way, and that the compiler says.
fn all_printed(project: &Project) -> String {
    let listings = project.listings().unwrap_or_default();
    let programs = project.compile_fail_programs().unwrap_or_default();
    let files = listings
        .iter()
        .flat_map(|name| [name.output(), name.errors()])
        .chain(programs.iter().map(|name| name.stderr()));
    // A file that is missing is told elsewhere; standard error is there only where something was said.
    files
        .filter(|file| project.has(file))
        .filter_map(|file| project.read(&file).ok())
        .collect()
}

/// The first cells of the tables of messages, with their lines.
fn cells(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    page.lines().enumerate().filter_map(move |(at, line)| {
        if !line.starts_with('|') {
            inside = false;
        } else if line.starts_with(HEADER) {
            inside = true;
        } else if inside && !line.starts_with("|---") {
            let cell = line.trim_start_matches('|').split(" | ").next()?;
            return Some((at + 1, cell.trim()));
        }
        None
    })
}

/// What stands between backticks, of one or two.
fn codes(cell: &str) -> Vec<&str> {
    let mut codes = Vec::new();
    let mut rest = cell;
    while let Some(start) = rest.find('`') {
        let fence = match rest[start..].starts_with("``") {
            true => "``",
            false => "`",
        };
        let inside = &rest[start + fence.len()..];
        let Some(end) = inside.find(fence) else { break };
        codes.push(inside[..end].trim());
        rest = &inside[end + fence.len()..];
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn a_message_that_nothing_printed_is_told_with_its_line() {
        let book = Scratch::sound();
        book.write("listings/demo/src/bin/hello.out", "it `is` said\n");
        let page = "# M\n\n| Message | Cause |\n|---|---|\n| `` it `is` said `` | a |\n| `said` … `never said` | b |\n\n`other`\n";
        book.write("src/page.md", page);
        assert_eq!(
            left_out(page),
            "# M\n\n| Message | Cause |\n|---|---|\n|  | a |\n|  | b |\n\n`other`"
        );
        let project = Project::open(book.root()).expect("a book");
        let told: Vec<_> = never_printed(&project)
            .expect("the pages can be read")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            ["src/page.md:6: no program of the book printed `never said`"]
        );
    }
}
