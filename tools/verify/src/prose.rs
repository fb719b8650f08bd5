//! Checks of what authors write around the code: versions and measured numbers, which go stale, and code in places
//! where nothing compiles it.

use crate::{Lines, page_text, regex};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use model::problem::Problem;
use model::project::Project;
use model::{lock, uses};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Runs all checks of this module on all pages.
///
/// # Errors
///
/// A page, a listing, or Cargo.lock can't be read.
pub fn check(project: &Project) -> Result<Vec<Problem>, Problem> {
    let crates = lock::direct_dependencies(project)?;
    let mut problems = Vec::new();
    for page in uses::pages(project).iter() {
        let texts = texts(&page.text);
        let shown = page_text::of(project, page)?;
        problems.extend(hand_written_versions(&page.file, &texts, &crates));
        problems.extend(unmeasured_numbers(&page.file, &texts, &shown));
        problems.extend(unchecked_code_in_markdown(&page.file, &page.text));
    }
    Ok(problems)
}

/// Words on a page, with code between backticks.
pub(crate) struct Text {
    pub line: usize,
    pub words: String,
}

/// The text of a page by paragraphs, cells, and headings, without code blocks and directives.
pub(crate) fn texts(page: &str) -> Vec<Text> {
    static DIRECTIVE: LazyLock<Regex> = LazyLock::new(|| regex(r"\{\{#[^}\n]*\}\}"));
    let page = &*DIRECTIVE.replace_all(page, "");
    let lines = Lines::of(page);
    let mut found: Vec<Text> = Vec::new();
    let mut in_code = false;
    let parser = new_cmark_parser(page, &MarkdownOptions::default());
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::End(TagEnd::TableCell) => {
                if let Some(text) = found.last_mut() {
                    text.words.push(' ');
                }
            }
            Event::Text(words) | Event::Code(words) if !in_code => {
                let line = lines.at(range.start);
                match found.last_mut() {
                    // The pieces of one line are read as one: "Tokio `1.54`".
                    Some(text) if text.line == line => text.words.push_str(&words),
                    _ => found.push(Text {
                        line,
                        words: words.into_string(),
                    }),
                }
            }
            _ => {}
        }
    }
    found
}

static VERSION: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"(?i)\b([a-z][a-z0-9_-]*)["'\s]*(?:version|=|@|:|v)?["'\s]*(\d+\.\d+(?:\.\d+)?)\b"#)
});

/// A version without its crate: in three parts, or behind a word that says so.
fn bare_version(text: &str) -> Option<&str> {
    static BARE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?i)\b(?:(?:versions?|msrv|since|from|until|before|after)\s+v?\d+\.\d+(?:\.\d+)?|v?\d+\.\d+\.\d+)\b",
        )
    });
    static GOES_ON: LazyLock<Regex> = LazyLock::new(|| {
        // A quantity, or an address, which has four parts.
        regex(r"^(?:\.\d|\s*(?:%|×|(?:n|µ|u|m)?s\b|seconds?\b|times\b|[kmg]i?b\b))")
    });
    BARE.find_iter(text)
        .find(|found| {
            !GOES_ON.is_match(&text[found.end()..]) && !text[..found.start()].ends_with('.')
        })
        .map(|found| found.as_str())
}

/// Hand-written versions of the book's dependencies (`crates`, and Rust).
fn hand_written_versions(file: &str, texts: &[Text], crates: &BTreeSet<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for Text { line, words } in texts {
        let before = problems.len();
        for found in VERSION.captures_iter(words) {
            let name = found[1].to_ascii_lowercase();
            if crates.contains(&name) || name == lock::RUST {
                let message = format!(
                    "`{}` is a hand-written version, which goes stale; write {{{{#version {name}}}}}, which comes from Cargo.lock",
                    found[0].trim()
                );
                problems.push(Problem::at(file, *line, message));
            }
        }
        if let Some(found) = bare_version(words).filter(|_| problems.len() == before) {
            let message = format!(
                "`{found}` is a hand-written version, which goes stale; write {{{{#version crate}}}}, or link to the \
                 page that has it"
            );
            problems.push(Problem::at(file, *line, message));
        }
    }
    problems
}

/// Versions in a document without directives, such as README.md, that don't match `versions`. The first numbers of a
/// version are enough.
pub fn stale_versions(file: &str, text: &str, versions: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for Text { line, words } in texts(text) {
        for found in VERSION.captures_iter(&words) {
            let Some(version) = versions.get(&found[1].to_ascii_lowercase()) else {
                continue;
            };
            if *version != found[2] && !version.starts_with(&format!("{}.", &found[2])) {
                let message = format!("`{}` is out of date: it's {version} now", found[0].trim());
                problems.push(Problem::at(file, line, message));
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
    regex(&expression)
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

/// Quantities (times, sizes, ratios) on a page that aren't in any program or output that the page shows. A time may
/// have another unit there.
fn unmeasured_numbers(file: &str, texts: &[Text], shown: &str) -> Vec<Problem> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| regex(r"\d[\d_]*(?:\.\d+)?"));
    let known: Vec<f64> = NUMBER
        .find_iter(shown)
        .filter_map(|found| value(found.as_str()))
        .collect();
    let is_known = |number: f64| known.iter().any(|known| (known - number).abs() < 1e-9);
    let mut problems = Vec::new();
    for Text { line, words } in texts {
        for found in QUANTITY.captures_iter(words) {
            let Some(number) = value(&found[1]) else {
                continue;
            };
            // A whole core isn't a measurement.
            if number == 100.0 && matches!(&found[2], "%" | "percent") {
                continue;
            }
            let scale = milliseconds(&found[2]);
            let units = [6e4, 1e3, 1.0, 1e-3, 1e-6];
            let mut converted = units.iter().filter_map(|unit| Some(number * scale? / unit));
            if !is_known(number) && !converted.any(is_known) {
                let message = format!(
                    "`{}` is in no program and no output on this page; count or measure it in a listing, and show that",
                    found[0].trim()
                );
                problems.push(Problem::at(file, *line, message));
            }
        }
    }
    problems
}

static RUST: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?m)^\s*(?:(?:pub(?:\([a-z]+\))?|async|unsafe|const|static|move|extern|default)\s+)*(?:fn\s+\w|struct\s+\w|enum\s+\w|impl\b.*\{|trait\s+\w|mod\s+\w+\s*[{;]|use\s+\w+(?:::|;)|let\s+(?:mut\s+)?\w+.*[=:;]|match\s.*\{|loop\s*\{|#!?\[\w|tokio::\w+!|\w+!\(.*\);)|\.await\b|=>\s*\{",
    )
});

/// Rust in a place where nothing compiles it: in a block of another language, in HTML, or spread over several code
/// spans, one on each line.
pub fn unchecked_code_in_markdown(file: &str, page: &str) -> Vec<Problem> {
    static TAGS: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?i)<(?:pre|code|script|textarea|xmp|iframe|samp|object)|```|~~~")
    });
    let lines = Lines::of(page);
    let mut problems = Vec::new();
    let mut report = |at: usize, what: &str| {
        let message = format!("{what}; make it a listing: `cargo book new part/name`");
        problems.push(Problem::at(file, lines.at(at), message));
    };
    let mut block = None;
    let mut spans_in_a_row = 0;
    let parser = new_cmark_parser(page, &MarkdownOptions::default());
    for (event, range) in parser.into_offset_iter() {
        let at = range.start;
        spans_in_a_row = match &event {
            Event::Code(_) => spans_in_a_row + 1,
            Event::SoftBreak | Event::HardBreak => spans_in_a_row,
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
                    report(
                        at,
                        "this block looks like Rust, and nothing compiles it here",
                    );
                }
            }
            Event::Code(code)
                if spans_in_a_row == 2 || code.contains('{') && RUST.is_match(&code) =>
            {
                report(at, "nothing compiles code between backticks");
            }
            Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_) => {
                let html = &page[range];
                if !html.starts_with("<!--") && (TAGS.is_match(html) || RUST.is_match(html)) {
                    report(at, "nothing checks code in HTML");
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
        let found = |text: &str| lines(&hand_written_versions("p.md", &texts(text), &names));
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
        let found = |text: &str| lines(&unmeasured_numbers("p.md", &texts(text), shown));
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
        for (text, shown, problems) in [
            (
                "zero s, Twelve ms, twenty s, ninety s, hundred ns",
                "0 12 20 90 100",
                0,
            ),
            ("twelve s, twenty s, many s", "11 21", 2),
            ("two minutes, 120 s", "from_millis(120_000)", 0),
            ("two minutes", "from_secs(2) from_millis(12)", 0),
            ("three minutes", "from_secs(12)", 1),
            ("300 ns, 0.3 microseconds", "0.3 µs", 0),
            ("5 bytes", "5000", 1),
            ("`a` 1 %\n\n```console\n$ 4711 ms\n```\n\n5 ms", "1 5", 0),
            ("```console\n$ a\n```\n\n4711 ms", "1", 1),
        ] {
            let found = unmeasured_numbers("p.md", &texts(text), shown);
            assert_eq!(found.len(), problems, "{text}: {found:?}");
        }
    }

    #[test]
    fn rust_outside_of_a_listing_is_found() {
        let found = |text: &str| lines(&unchecked_code_in_markdown("p.md", text));
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
            let block = format!("a\n\n```text\n{code}\n```\n");
            assert_eq!(found(&block), [3], "{code}");
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
        assert_eq!(found("a\n\n<pre>fn main() {}</pre>\n"), [3]);
        assert_eq!(found("a <code>x</code>"), [1]);
        for text in [
            "`JoinSet`, `join_next`\nand `a`\n",
            "<!-- let x = 1; -->",
            "`while let Some(x)`, `{`, `enum Order` or `{}`",
            "a <span class=\"x\">b</span>",
            "```text\n$ cargo run --bin join_set\n300 ms  order 3 done\nerror: let it be\n[dependencies]\n```\n",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
