//! The cancel-safety table: what a call loses when its future is dropped before it ends.
//!
//! Its rows stand in [`DATA`]. Each names what shows it: a run in [`RUNS`], which drops the call and compares
//! what it finds with the row.

use crate::api::{self, ApiName};
use crate::directive::Directive;
use crate::problem::Problem;
use crate::project::Project;
use crate::suggest;
use crate::uses::Page;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use toml::Spanned;

/// The rows, relative to the book's root.
pub const DATA: &str = "listings/concepts/cancel_safety.toml";

/// The folder of the runs, relative to the book's root.
pub const RUNS: &str = "listings/concepts/tests/cancel_safety";

/// What becomes of a call whose future is dropped before it ends, and which is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is lost.
    Safe,
    /// Nothing is lost but the wait: it starts again, behind those that came meanwhile.
    PlaceOnly,
    /// Nothing is lost, where the caller goes on with what the call left in the caller's hands.
    Resumable,
    /// Something is lost, or done twice.
    NotSafe,
    /// The work goes on without anyone who waits for it.
    GoesOn,
    /// What becomes of the future that it wraps.
    AsInner,
}

impl Verdict {
    /// As a page says it, in Markdown.
    pub fn says(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::PlaceOnly => "place only",
            Self::Resumable => "resumable",
            Self::NotSafe => "**not safe**",
            Self::GoesOn => "keeps running",
            Self::AsInner => "as inner",
        }
    }
}

/// A piece of the data, and its line there, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The line.
    pub line: usize,
    /// What stands there.
    pub is: T,
}

/// A row of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// The table that it stands in: `channels`.
    pub group: String,
    /// The calls, as Markdown with links to APIs.
    pub calls: Placed<String>,
    /// What becomes of them.
    pub verdict: Placed<Verdict>,
    /// Whether the documentation says so as well. A run shows only what this version does.
    pub promised: bool,
    /// What is lost, in the words of the run.
    pub lost: Placed<String>,
    /// What to do, or what else there is to know, as Markdown with links to APIs.
    pub advice: Option<Placed<String>>,
    /// The run that shows it.
    pub shown_by: Placed<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    calls: Spanned<String>,
    verdict: Spanned<Verdict>,
    #[serde(default = "yes")]
    promised: bool,
    lost: Spanned<String>,
    advice: Option<Spanned<String>>,
    shown_by: Spanned<String>,
}

fn yes() -> bool {
    true
}

/// All rows, in their order.
///
/// # Errors
///
/// The file is not there, or is no table; the problem names the line.
pub fn rows(project: &Project) -> Result<Vec<Row>, Problem> {
    let text = project.read(DATA)?;
    let line_of = |at: usize| 1 + text[..at.min(text.len())].matches('\n').count();
    let groups: BTreeMap<String, Vec<Written>> =
        toml::from_str(&text).map_err(|error| Problem {
            file: DATA.into(),
            line: error.span().map(|span| line_of(span.start)),
            message: format!("is no table of calls: {}", error.message()),
        })?;
    let mut rows = Vec::new();
    for (group, written) in groups {
        for row in written {
            rows.push(Row {
                group: group.clone(),
                calls: placed(row.calls, line_of),
                verdict: placed(row.verdict, line_of),
                promised: row.promised,
                lost: placed(row.lost, line_of),
                advice: row.advice.map(|advice| placed(advice, line_of)),
                shown_by: placed(row.shown_by, line_of),
            });
        }
    }
    rows.sort_by_key(|row| row.calls.line);
    Ok(rows)
}

fn placed<T>(value: Spanned<T>, line_of: impl Fn(usize) -> usize) -> Placed<T> {
    Placed {
        line: line_of(value.span().start),
        is: value.into_inner(),
    }
}

/// The APIs that the rows name, each with its line in [`DATA`]; none where the book has no table.
///
/// # Errors
///
/// The file is no table.
pub fn named(project: &Project) -> Result<Vec<ApiName>, Problem> {
    if !project.has(DATA) {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for row in rows(project)? {
        for text in [Some(row.calls), row.advice].into_iter().flatten() {
            names.extend(api::named(&text.is).into_iter().map(|name| ApiName {
                line: text.line,
                ..name
            }));
        }
    }
    Ok(names)
}

/// Rows as a table in Markdown. `address` leads to the run of that name, where it can.
pub fn markdown(rows: &[&Row], address: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::from("| Call | Dropped | Lost, and what to do |\n|---|---|---|\n");
    for row in rows {
        let mut last = format!("{}.", capitalized(&row.lost.is));
        if let Some(advice) = &row.advice {
            let _ = write!(last, " {}", advice.is);
        }
        if let Some(url) = address(&row.shown_by.is) {
            let _ = write!(last, " ([the run]({url}))");
        }
        let today = if row.promised {
            ""
        } else {
            " today, not promised"
        };
        let _ = writeln!(
            text,
            "| {} | {}{today} | {last} |",
            row.calls.is,
            row.verdict.is.says()
        );
    }
    text
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// The text of a page with the tables in it, to count what a reader sees. A table that cannot be made is left out:
/// that is reported where the page is built.
pub fn filled(project: &Project, page: &Page) -> String {
    let mut filled = page.text.clone();
    for placed in page.directives.iter().rev() {
        if let Ok(Directive::CancelSafety(group)) = &placed.directive {
            let rows = rows(project).unwrap_or_default();
            let rows: Vec<_> = rows.iter().filter(|it| it.group == *group).collect();
            filled.replace_range(placed.range.clone(), &markdown(&rows, |_| None));
        }
    }
    filled
}

/// A test that drops a call and compares what it sees with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The function's name.
    pub name: String,
    /// The file, relative to the book's root.
    pub file: String,
    /// The line of the function, from 1.
    pub line: usize,
}

/// The tests in [`RUNS`]; none where there is no such folder.
///
/// # Errors
///
/// A file cannot be read.
pub fn runs(project: &Project) -> Result<Vec<Run>, Problem> {
    let mut names: Vec<_> = fs::read_dir(project.root().join(RUNS))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".rs"))
        .collect();
    names.sort();
    let mut runs = Vec::new();
    for name in names {
        let file = format!("{RUNS}/{name}");
        let text = project.read(&file)?;
        let mut is_test = false;
        for (number, line) in text.lines().enumerate() {
            let declared = line.trim_start_matches("async ").strip_prefix("fn ");
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some(rest) = declared.filter(|_| is_test) {
                is_test = false;
                runs.push(Run {
                    name: rest.split('(').next().unwrap_or_default().to_owned(),
                    file: file.clone(),
                    line: number + 1,
                });
            }
        }
    }
    Ok(runs)
}

/// Rows whose run is not there, runs that no row names, and rows that share one.
///
/// # Errors
///
/// The rows or the runs cannot be read.
pub fn problems(project: &Project) -> Result<Vec<Problem>, Problem> {
    let (rows, runs) = (rows(project)?, runs(project)?);
    let mut problems = Vec::new();
    let mut named = BTreeSet::new();
    for row in &rows {
        let name = row.shown_by.is.as_str();
        if !runs.iter().any(|run| run.name == name) {
            let hint = suggest::did_you_mean(name, runs.iter().map(|run| run.name.as_str()));
            let message = format!("there is no test `{name}` in {RUNS}{hint}");
            problems.push(Problem::at(DATA, row.shown_by.line, message));
        }
        if !named.insert(name) {
            let message =
                format!("another row is shown by `{name}`, too; give this one a run of its own");
            problems.push(Problem::at(DATA, row.shown_by.line, message));
        }
    }
    for run in runs.iter().filter(|run| !named.contains(run.name.as_str())) {
        let message = format!(
            "no row of {DATA} is `shown_by` `{}`; add one, or remove it",
            run.name
        );
        problems.push(Problem::at(&run.file, run.line, message));
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    const ROWS: &str = "# Calls.\n\n[[locks]]\ncalls = \"`lock`\"\nverdict = \"place_only\"\nlost = \"the place\"\n\
                        shown_by = \"locked\"\n\n[[channels]]\ncalls = \"[`Vec`]\"\nverdict = \"not_safe\"\n\
                        lost = \"1 of 2\"\nadvice = \"Use [`Vec::len`].\"\n\
                        shown_by = \"gone\"\n";

    fn book(rows: &str) -> (Scratch, Project) {
        let book = Scratch::sound();
        book.write(DATA, rows);
        let project = Project::open(book.root()).expect("a book");
        (book, project)
    }

    #[test]
    fn rows_are_read_in_their_order_with_their_lines() {
        let (_book, project) = book(ROWS);
        let rows = rows(&project).expect("they are sound");
        let calls: Vec<_> = rows.iter().map(|row| row.calls.is.as_str()).collect();
        assert_eq!(calls, ["`lock`", "[`Vec`]"]);
        assert_eq!(rows[0].verdict.line, 5);
        assert_eq!(rows[1].verdict.is, Verdict::NotSafe);
        assert_eq!(
            (rows[1].shown_by.line, rows[1].shown_by.is.as_str()),
            (14, "gone")
        );
    }

    #[test]
    fn names_of_apis_have_their_lines() {
        let (_book, project) = book(ROWS);
        let named = named(&project).expect("they are sound");
        let named: Vec<_> = named.iter().map(|it| (it.line, it.name.as_str())).collect();
        assert_eq!(named, [(10, "Vec"), (13, "Vec::len")]);
        let none = Scratch::sound();
        let project = Project::open(none.root()).expect("a book");
        assert_eq!(super::named(&project), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_row_is_reported_with_its_line() {
        for (from, to, line) in [
            ("place_only", "placed", 5),
            ("lost = \"the place\"\n", "", 3),
            ("shown_by = \"locked\"", "shown = \"locked\"", 7),
            ("[[locks]]", "[locks", 3),
        ] {
            let (_book, project) = book(&ROWS.replace(from, to));
            let problem = rows(&project).expect_err("it is broken");
            assert_eq!(problem.line, Some(line), "{problem}");
        }
    }

    #[test]
    fn a_page_is_filled_with_the_rows_of_a_group() {
        let (_book, project) = book(ROWS);
        let page = "# A\n\n{{#cancel_safety locks}}\n\nB `{{#cancel_safety x}}`.\n";
        assert_eq!(
            filled(&project, &Page::parse("src/page.md", page)),
            "# A\n\n| Call | Dropped | Lost, and what to do |\n|---|---|---|\n\
             | `lock` | place only | The place. |\n\n\nB `{{#cancel_safety x}}`.\n"
        );
    }

    #[test]
    fn what_only_a_run_shows_is_not_promised() {
        let rows = ROWS.replace(
            "verdict = \"place_only\"",
            "verdict = \"safe\"\npromised = false",
        );
        let (_book, project) = book(&rows);
        let page = Page::parse("src/page.md", "# A\n\n{{#cancel_safety locks}}\n");
        let filled = filled(&project, &page);
        assert!(
            filled.contains("| `lock` | safe today, not promised | The place. |"),
            "{filled}"
        );
    }

    #[test]
    fn rows_and_runs_that_do_not_belong_together_are_reported() {
        let (book, project) = book(&ROWS.replace("locked", "locks"));
        book.write(
            &format!("{RUNS}/a.rs"),
            "#[test]\nfn locked() {}\n\n#[test]\nfn gone() {}\n",
        );
        let report: Vec<_> = problems(&project)
            .expect("they can be read")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            report,
            [
                format!("{DATA}:7: there is no test `locks` in {RUNS}; did you mean `locked`?"),
                format!(
                    "{RUNS}/a.rs:2: no row of {DATA} is `shown_by` `locked`; add one, or remove it"
                ),
            ]
        );
        book.write(DATA, ROWS.replace("locked", "gone"));
        let report = problems(&project).expect("they can be read");
        assert!(
            report[0]
                .message
                .starts_with("another row is shown by `gone`"),
            "{report:?}"
        );
    }

    #[test]
    fn runs_are_found_with_their_lines() {
        let (book, project) = book(ROWS);
        assert_eq!(runs(&project), Ok(Vec::new()));
        book.write(
            &format!("{RUNS}/a.rs"),
            "#[tokio::test(start_paused = true)]\nasync fn one() {\n}\n\nfn helper() {}\n\n#[test]\nfn two() {}\n",
        );
        let found = runs(&project).expect("they can be read");
        let found: Vec<_> = found.iter().map(|it| (it.name.as_str(), it.line)).collect();
        assert_eq!(found, [("one", 2), ("two", 8)]);
    }
}
