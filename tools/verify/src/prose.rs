//! Checks what authors write around the code: versions and measured numbers, which go stale, and code
//! that slips in where nothing compiles it.
//!
//! Each function takes a page's file (for messages) and its text, and returns what is wrong there.

use crate::shown;
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use pages::problem::Problem;
use pages::project::Project;
use pages::{lock, uses};
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// All of this module's checks on all pages.
///
/// # Errors
///
/// A page, a listing or Cargo.lock cannot be read.
pub fn check(project: &Project) -> Result<Vec<Problem>, Problem> {
    let names = lock::direct_dependencies(project)?;
    let mut problems = Vec::new();
    for file in uses::pages_below(project, "src") {
        let page = project.read(&file)?;
        let shown = shown::on_page(project, &file)?;
        problems.extend(versions_by_hand(&file, &page, &names));
        problems.extend(numbers_without_a_source(&file, &page, &shown));
        problems.extend(smuggled_code(&file, &page));
    }
    Ok(problems)
}

/// A piece of a page's text that a reader reads: words, and code between backticks.
struct Words {
    line: usize,
    text: String,
}

/// The text of a page by paragraphs, cells and headings, without code blocks and directives.
fn words(page: &str) -> Vec<Words> {
    let line_of = |at: usize| 1 + page[..at].matches('\n').count();
    let mut found: Vec<Words> = Vec::new();
    let mut in_code = false;
    let parser = new_cmark_parser(page, &MarkdownOptions::default());
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::End(TagEnd::TableCell) => {
                if let Some(words) = found.last_mut() {
                    words.text.push(' ');
                }
            }
            Event::Text(text) | Event::Code(text) if !in_code => {
                let line = line_of(range.start);
                match found.last_mut() {
                    // What stands on one line is read as one: "Tokio `1.54`".
                    Some(words) if words.line == line => words.text.push_str(&text),
                    _ => found.push(Words {
                        line,
                        text: text.into_string(),
                    }),
                }
            }
            _ => {}
        }
    }
    found
}

static VERSION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)\b([a-z][a-z0-9_-]*)["'\s]*(?:version|=|@|:|v)?["'\s]*(\d+\.\d+(?:\.\d+)?)\b"#,
    )
    .expect("a constant expression")
});

/// Versions of the book's dependencies (`names`, and `rust`) written by hand.
pub fn versions_by_hand(file: &str, page: &str, names: &BTreeSet<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for words in words(page) {
        for found in VERSION.captures_iter(&words.text) {
            let name = found[1].to_ascii_lowercase();
            if names.contains(&name) || name == "rust" {
                problems.push(Problem::at(
                    file,
                    words.line,
                    format!(
                        "`{}` is written by hand and goes stale; write {{{{#version {name}}}}}, which comes from Cargo.lock",
                        found[0].trim()
                    ),
                ));
            }
        }
    }
    problems
}

static QUANTITY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(\d[\d,]*(?:\.\d+)?)\s*(ns|µs|us|ms|kb|kib|mb|mib|gb|gib|bytes|allocations?|%|×|x\b|times)(?:\W|$)")
        .expect("a constant expression")
});

/// Quantities (times, sizes, ratios) on a page that none of the programs and outputs shown there holds:
/// a measured number comes from a measurement.
pub fn numbers_without_a_source(file: &str, page: &str, shown: &str) -> Vec<Problem> {
    let plain = |number: &str| number.replace([',', '_'], "");
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\d[\d_]*(?:\.\d+)?").expect("a constant expression"));
    let known: BTreeSet<String> = NUMBER
        .find_iter(shown)
        .map(|found| plain(found.as_str()))
        .collect();
    let mut problems = Vec::new();
    for words in words(page) {
        for found in QUANTITY.captures_iter(&words.text) {
            if !known.contains(&plain(&found[1])) {
                problems.push(Problem::at(
                    file,
                    words.line,
                    format!(
                        "`{}` stands in no program and no output on this page; a number is counted or measured \
                         by a listing that the page shows",
                        found[0].trim()
                    ),
                ));
            }
        }
    }
    problems
}

static RUST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?m)^\s*(?:(?:pub(?:\([a-z]+\))?|async|unsafe|const|static|move|extern|default)\s+)*(?:fn\s+\w|struct\s+\w|enum\s+\w|impl\b.*\{|trait\s+\w|mod\s+\w+\s*[{;]|use\s+\w+(?:::|;)|let\s+(?:mut\s+)?\w+.*[=:;]|match\s.*\{|loop\s*\{|#!?\[\w|tokio::\w+!|\w+!\(.*\);)|\.await\b|=>\s*\{",
    )
    .expect("a constant expression")
});

/// Rust in a place where nothing compiles it: in a block of another language, or in HTML.
pub fn smuggled_code(file: &str, page: &str) -> Vec<Problem> {
    let line_of = |at: usize| 1 + page[..at].matches('\n').count();
    let advice = "make it a listing: `cargo book new part/name`";
    let mut problems = Vec::new();
    let mut block = None;
    let parser = new_cmark_parser(page, &MarkdownOptions::default());
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => {
                block = Some((line_of(range.start), String::new()))
            }
            Event::Text(text) => {
                if let Some((_, code)) = &mut block {
                    code.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some((line, code)) = block.take()
                    && RUST.is_match(&code)
                {
                    problems.push(Problem::at(
                        file,
                        line,
                        format!(
                            "this block looks like Rust, and nothing compiles it here; {advice}"
                        ),
                    ));
                }
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                let lower = html.to_ascii_lowercase();
                if ["<pre", "<code", "<script", "<textarea", "<xmp", "<iframe"]
                    .iter()
                    .any(|tag| lower.contains(tag))
                {
                    problems.push(Problem::at(
                        file,
                        line_of(range.start),
                        format!("code in HTML is not checked by anything; {advice}"),
                    ));
                }
            }
            _ => {}
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(problems: &[Problem]) -> Vec<usize> {
        problems.iter().filter_map(|problem| problem.line).collect()
    }

    #[test]
    fn a_version_of_a_dependency_is_refused() {
        let names = BTreeSet::from(["tokio".to_owned(), "tokio-util".to_owned()]);
        let found = |text: &str| lines(&versions_by_hand("p.md", text, &names));
        for text in [
            "Since Tokio 1.54 it works.",
            "tokio-util 0.7.20",
            "`tokio = \"1.54\"`",
            "Tokio version 1.54.1",
            "tokio v1.54",
            "`tokio@1.54`",
            "Rust 1.95 is enough.",
            "Tokio `1.54`",
            "| a | Tokio 1.54 |\n|---|---|\n",
        ] {
            assert_eq!(found(text), [1], "{text}");
        }
        assert_eq!(found("# T\n\nRust\n1.95"), Vec::<usize>::new());
        assert!(found("Tokio {{#version tokio}} takes 1.5 s. HTTP 1.1. Section 1.2.").is_empty());
        assert!(found("```text\ntokio 1.54\n```\n").is_empty());
    }

    #[test]
    fn a_number_comes_from_what_the_page_shows() {
        let shown = "1300 ms  done\nDuration::from_millis(1_500)\n2.5\n";
        let found = |text: &str| lines(&numbers_without_a_source("p.md", text, shown));
        assert!(found("It takes 1300 ms, or 1,500 ms, 2.5 times as long.").is_empty());
        assert_eq!(found("a\n\nIt is 3.7 times slower."), [3]);
        assert_eq!(found("It takes 40 ms."), [1]);
        assert_eq!(found("A task is 400 bytes, 12 %."), [1, 1]);
        assert!(found("Three times, in 2024, at port 3000, HTTP 429.").is_empty());
    }

    #[test]
    fn rust_outside_of_a_listing_is_found() {
        let found = |text: &str| lines(&smuggled_code("p.md", text));
        for code in [
            "fn main() {}",
            "pub(crate) async fn f() {}",
            "let x = 1;",
            "    let mut tasks = JoinSet::new();",
            "use tokio::task;",
            "#[tokio::main]",
            "tokio::select! {",
            "x.recv().await",
            "println!(\"x\");",
            "Some(x) => {",
            "struct Order;",
        ] {
            assert_eq!(
                found(&format!("a\n\n```text\n{code}\n```\n")),
                [3],
                "{code}"
            );
        }
        for text in [
            "$ cargo run --bin join_set",
            "300 ms  order 3 done",
            "error: let it be",
            "[dependencies]",
        ] {
            assert!(
                found(&format!("```text\n{text}\n```\n")).is_empty(),
                "{text}"
            );
        }
        assert_eq!(found("a\n\n<pre>fn main() {}</pre>\n"), [3]);
        assert_eq!(found("a <code>x</code>"), [1]);
    }
}
