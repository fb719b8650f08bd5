//! Table columns without a header, which screen readers need to tell the columns apart.

use crate::numbered;
use model::problem::Problem;
use model::project::Project;
use model::uses;

/// Tables on the pages that have a column without a header.
pub fn missing_headers(project: &Project) -> Vec<Problem> {
    let pages = uses::pages(project);
    let pages = pages.iter();
    pages
        .flat_map(|page| on_page(&page.file, &page.text))
        .collect()
}

fn on_page(file: &str, text: &str) -> Vec<Problem> {
    let rows = numbered(text).zip(numbered(text).skip(1));
    let headers = rows.filter(|((_, _), (_, below))| is_delimiter(below));
    let unnamed = headers.filter(|((_, header), _)| {
        let mut cells = header.trim().trim_matches('|').split('|');
        cells.any(|cell| cell.trim().is_empty())
    });
    let message = "table column without a header, which screen readers need; name the column";
    unnamed
        .map(|((line, _), _)| Problem::at(file, line, message))
        .collect()
}

/// Whether a line separates a table's header from its rows.
fn is_delimiter(line: &str) -> bool {
    line.starts_with('|')
        && line.contains('-')
        && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_without_a_header_is_found_with_its_line() {
        let lines = |table: &str| -> Vec<_> {
            let problems = on_page("p.md", &format!("# Page\n\n{table}\n"));
            problems.into_iter().map(|problem| problem.line).collect()
        };
        assert_eq!(lines("| | Price |\n|---|---|\n| tea | 12 |"), [Some(3)]);
        assert_eq!(lines("| What | Price |\n|---|---|\n| | 12 |"), []);
    }
}
