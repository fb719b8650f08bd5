//! Checks what authors write around the code: versions and measured numbers, which go stale, and code
//! that slips in where nothing compiles it.
//!
//! Each function takes a page's file (for messages) and its text, and returns what is wrong there.

use crate::shown;
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use model::problem::Problem;
use model::project::Project;
use model::{lock, uses};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
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
    static DIRECTIVE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\{\{#[^}\n]*\}\}").expect("a constant expression"));
    let page = &*DIRECTIVE.replace_all(page, "");
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

/// A version without its crate: in three parts, or behind a word that says so.
fn bare_version(text: &str) -> Option<&str> {
    static BARE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?i)\b(?:(?:versions?|msrv|since|from|until|before|after)\s+v?\d+\.\d+(?:\.\d+)?|v?\d+\.\d+\.\d+)\b",
        )
        .expect("a constant expression")
    });
    static GOES_ON: LazyLock<Regex> = LazyLock::new(|| {
        // A quantity, or an address, which has four parts.
        Regex::new(r"^(?:\.\d|\s*(?:%|×|(?:n|µ|u|m)?s\b|seconds?\b|times\b|[kmg]i?b\b))")
            .expect("a constant expression")
    });
    BARE.find_iter(text)
        .find(|found| {
            !GOES_ON.is_match(&text[found.end()..]) && !text[..found.start()].ends_with('.')
        })
        .map(|found| found.as_str())
}

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
        let by_name = problems
            .iter()
            .any(|problem| problem.line == Some(words.line));
        if let Some(found) = bare_version(&words.text).filter(|_| !by_name) {
            problems.push(Problem::at(
                file,
                words.line,
                format!(
                    "`{found}` is a version written by hand, and goes stale; write {{{{#version crate}}}}, or link \
                     to where it stands"
                ),
            ));
        }
    }
    problems
}

/// Versions in a document that no directive can write, README.md say, that are not those of `versions`
/// or the start of them.
pub fn stale_versions(file: &str, text: &str, versions: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for words in words(text) {
        for found in VERSION.captures_iter(&words.text) {
            let Some(version) = versions.get(&found[1].to_ascii_lowercase()) else {
                continue;
            };
            let told = &found[2];
            let is_current = version == told || version.starts_with(&format!("{told}."));
            if !is_current {
                problems.push(Problem::at(
                    file,
                    words.line,
                    format!(
                        "`{}` is not true any more: it is {version}",
                        found[0].trim()
                    ),
                ));
            }
        }
    }
    problems
}

static QUANTITY: LazyLock<Regex> = LazyLock::new(|| {
    let numbers = NUMBER_WORDS.join("|");
    let expression = format!(
        r"(?i)(?:\b|^)(\d[\d,]*(?:\.\d+)?|(?:{numbers})\b)[\s-]*(ns|nanoseconds?|µs|us|microseconds?|ms|milliseconds?|s|seconds?|minutes?|kb|kib|kilobytes?|mb|mib|megabytes?|gb|gib|gigabytes?|bytes?|allocations?|%|percent|×|x|times|fold)(?:\W|$)"
    );
    Regex::new(&expression).expect("a constant expression")
});

/// The words for 0 to 12, and for 20 to 100 in steps of ten.
const NUMBER_WORDS: [&str; 22] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty",
    "ninety", "hundred",
];

/// The value of a number in digits or in a word.
fn value(number: &str) -> Option<f64> {
    let number = number.to_ascii_lowercase();
    let word = NUMBER_WORDS.iter().position(|word| *word == number);
    match word {
        Some(small @ 0..=12) => u8::try_from(small).ok().map(f64::from),
        Some(tens) => u8::try_from((tens - 11) * 10).ok().map(f64::from),
        None => number.replace([',', '_'], "").parse().ok(),
    }
}

/// How many thousandths of a second a unit of time is.
fn milliseconds(unit: &str) -> Option<f64> {
    Some(match unit.to_ascii_lowercase().trim_end_matches('s') {
        "n" | "nanosecond" => 1e-6,
        "µ" | "u" | "microsecond" => 1e-3,
        "m" | "millisecond" => 1.0,
        "" | "second" => 1e3,
        "minute" => 6e4,
        _ => return None,
    })
}

/// Quantities (times, sizes, ratios) on a page that none of the programs and outputs shown there holds:
/// a measured number comes from a measurement. A time may be told in another unit than there.
pub fn numbers_without_a_source(file: &str, page: &str, shown: &str) -> Vec<Problem> {
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\d[\d_]*(?:\.\d+)?").expect("a constant expression"));
    let known: Vec<f64> = NUMBER
        .find_iter(shown)
        .filter_map(|found| value(found.as_str()))
        .collect();
    let is_known = |number: f64| known.iter().any(|known| (known - number).abs() < 1e-9);
    let mut problems = Vec::new();
    for words in words(page) {
        for found in QUANTITY.captures_iter(&words.text) {
            let Some(number) = value(&found[1]) else {
                continue;
            };
            // A whole core: that is no measurement.
            if number == 100.0 && matches!(&found[2], "%" | "percent") {
                continue;
            }
            let scale = milliseconds(&found[2]);
            let in_other_units = [6e4, 1e3, 1.0, 1e-3, 1e-6]
                .iter()
                .filter_map(|unit| Some(number * scale? / unit));
            if !is_known(number) && !in_other_units.into_iter().any(is_known) {
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

/// Rust in a place where nothing compiles it: in a block of another language, in HTML, or spread over
/// pieces of inline code, one on each line.
pub fn smuggled_code(file: &str, page: &str) -> Vec<Problem> {
    let line_of = |at: usize| 1 + page[..at].matches('\n').count();
    let advice = "make it a listing: `cargo book new part/name`";
    let mut problems = Vec::new();
    let mut tell = |at: usize, what: &str| {
        problems.push(Problem::at(file, line_of(at), format!("{what}; {advice}")));
    };
    let mut block = None;
    let mut in_row = 0;
    let parser = new_cmark_parser(page, &MarkdownOptions::default());
    for (event, range) in parser.into_offset_iter() {
        let at = range.start;
        in_row = match &event {
            Event::Code(_) => in_row + 1,
            Event::SoftBreak | Event::HardBreak => in_row,
            _ => 0,
        };
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => {
                block = Some((at, String::new()));
            }
            Event::Text(text) => {
                if let Some((_, code)) = &mut block {
                    code.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some((at, code)) = block.take()
                    && RUST.is_match(&code)
                {
                    tell(
                        at,
                        "this block looks like Rust, and nothing compiles it here",
                    );
                }
            }
            Event::Code(code) if in_row == 2 || code.contains('{') && RUST.is_match(&code) => {
                tell(
                    at,
                    "this is code, and nothing compiles it between backticks",
                );
            }
            Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_) => {
                let html = &page[range];
                let lower = html.to_ascii_lowercase();
                let tags = [
                    "<pre",
                    "<code",
                    "<script",
                    "<textarea",
                    "<xmp",
                    "<iframe",
                    "<samp",
                    "<object",
                ];
                let is_code = tags.iter().any(|tag| lower.contains(tag))
                    || ["```", "~~~"].iter().any(|fence| html.contains(fence))
                    || RUST.is_match(html);
                if is_code && !html.starts_with("<!--") {
                    tell(at, "code in HTML is not checked by anything");
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
        for text in [
            "It came in version 1.36.",
            "since 1.36, that",
            "Use 1.36.2 (or newer)",
            "MSRV 1.85",
        ] {
            assert_eq!(found(text), [1], "{text}");
        }
        assert!(found("Tokio {{#version tokio}} takes 1.5 s. HTTP 1.1. Section 1.2.").is_empty());
        assert!(found("At 127.0.0.1:3000, from 1.5 s to 2.5 s, CC BY 4.0.").is_empty());
        assert!(found("```text\ntokio 1.54\n```\n").is_empty());
    }

    #[test]
    fn a_stale_version_in_a_document_is_found() {
        let version = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        let versions = BTreeMap::from([version("rust", "1.95"), version("mdbook", "0.5.4")]);
        let found = |text: &str| lines(&stale_versions("README.md", text, &versions));
        assert!(
            found("[Rust](https://rustup.rs) 1.95 or newer, mdBook 0.5, mdBook 0.5.4").is_empty()
        );
        assert_eq!(found("a\n\nRust 1.9"), [3]);
        assert_eq!(found("mdBook 0.4"), [1]);
        assert_eq!(found("mdBook 0.5.5"), [1]);
    }

    #[test]
    fn a_number_comes_from_what_the_page_shows() {
        let shown = "1300 ms  done\nDuration::from_millis(1_500)\n2.5\n";
        let found = |text: &str| lines(&numbers_without_a_source("p.md", text, shown));
        assert!(found("It takes 1300 ms, or 1,500 ms, 2.5 times as long.").is_empty());
        assert_eq!(found("a\n\nIt is 3.7 times slower."), [3]);
        assert_eq!(found("It takes 40 ms."), [1]);
        assert_eq!(found("A task is 400 bytes, 12 %."), [1, 1]);
        assert_eq!(found("One core is at 100 %, the other at 99 %."), [1]);
        assert!(found("It takes 1.3 seconds, 2500 µs, or 1.3s.").is_empty());
        assert_eq!(found("It takes three seconds."), [1]);
        assert_eq!(found("Twice, or ten times as fast, 40-fold."), [1, 1]);
        assert!(found("In 2024, at port 3000, HTTP 429, three tasks.").is_empty());
    }

    #[test]
    fn numbers_in_words_and_other_units_have_their_values() {
        for (word, number) in [
            ("zero", 0.0),
            ("Twelve", 12.0),
            ("twenty", 20.0),
            ("ninety", 90.0),
            ("hundred", 100.0),
            ("1,500", 1500.0),
        ] {
            assert_eq!(value(word), Some(number), "{word}");
        }
        assert_eq!(value("many"), None);
        for (unit, number) in [
            ("ns", 1e-6),
            ("microseconds", 1e-3),
            ("ms", 1.0),
            ("Milliseconds", 1.0),
            ("s", 1e3),
            ("minutes", 6e4),
        ] {
            assert_eq!(milliseconds(unit), Some(number), "{unit}");
        }
        assert_eq!(milliseconds("bytes"), None);
        let found =
            |text: &str, shown: &str| lines(&numbers_without_a_source("p.md", text, shown)).len();
        assert_eq!(found("two minutes, 120 s", "from_millis(120_000)"), 0);
        assert_eq!(found("two minutes", "from_secs(2) from_millis(12)"), 0);
        assert_eq!(found("three minutes", "from_secs(12)"), 1);
        assert_eq!(found("300 ns", "0.3 µs"), 0);
        assert_eq!(
            found("`a` 1 %\n\n```console\n$ 4711 ms\n```\n\n5 ms", "1 5"),
            0
        );
        assert_eq!(found("```console\n$ a\n```\n\n4711 ms", "1"), 1);
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
            "a\n\n<div>\n```rust\nlet x = 1;\n```\n</div>",
            "a\n\n<div>\nlet mut tasks = JoinSet::new();\n</div>",
            "a\n\n`fn main() { run().await }`",
            "a\n\nx <samp>y</samp>",
        ] {
            assert_eq!(found(text), [3], "{text}");
        }
        assert_eq!(found("`let tasks`\n`tasks.spawn(x)`\n"), [2]);
        assert_eq!(found("a\n\n`let tasks`  \n`tasks.spawn(x)`\n"), [4]);
        for text in [
            "`JoinSet`, `join_next`\nand `a`\n",
            "<!-- let x = 1; -->",
            "`while let Some(x)`",
            "`{`",
            "`enum Order` or `{}`",
            "a <span class=\"x\">b</span>",
        ] {
            assert!(found(text).is_empty(), "{text}");
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
