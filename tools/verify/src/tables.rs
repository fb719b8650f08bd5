//! Finds columns without a name: whoever hears a table has nothing else to tell them apart.

use anyhow::Result;
use model::problem::Problem;
use model::project::Project;
use render::site::Page;

/// Columns of tables on the pages that have no name in their header.
///
/// # Errors
///
/// A page's source cannot be read.
pub fn nameless_columns(project: &Project, pages: &[Page]) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for page in pages {
        let source = project.read(&page.source)?;
        let lines: Vec<_> = source.lines().collect();
        for (index, pair) in lines.windows(2).enumerate() {
            let &[header, below] = pair else { continue };
            if is_delimiter(below) && cells(header).any(|cell| cell.trim().is_empty()) {
                problems.push(Problem::at(
                    &page.source,
                    index + 1,
                    "this table has a column without a name, which screen readers need; name it",
                ));
            }
        }
    }
    Ok(problems)
}

/// Whether a line divides a table's header from its rows.
fn is_delimiter(line: &str) -> bool {
    line.starts_with('|')
        && line.contains('-')
        && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

fn cells(row: &str) -> impl Iterator<Item = &str> {
    row.trim().trim_matches('|').split('|')
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn a_column_without_a_name_is_told_with_its_line() {
        let book = Scratch::sound();
        let told = |table: &str| {
            book.write("src/page.md", format!("# Page\n\n{table}\n"));
            let project = Project::open(book.root()).expect("a book");
            let pages = [Page {
                source: "src/page.md".into(),
                html: "page.html".into(),
            }];
            let problems = nameless_columns(&project, &pages).expect("the pages are there");
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            told("| | Price |\n|---|---|\n| tea | 12 |"),
            [
                "src/page.md:3: this table has a column without a name, which screen readers need; name it"
            ]
        );
        assert!(told("| What | Price |\n|---|---|\n| | 12 |").is_empty());
    }
}
