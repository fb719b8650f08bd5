//! Checks the identifiers that authors write: each exists.
//!
//! An API of the crates that the listings depend on is linked to its documentation at least once on each page, and the
//! link checks it. Any other identifier between backticks must be in a program, an output, a message, or a manifest
//! that the page shows, or in the file of a crate of which the page shows a part, where it was compiled or printed, unless it's a word of Rust itself. Anything else is a typo
//! or has gone stale.

use crate::{Lines, messages, numbered, page_text, programs, regex};
use mdbook_markdown::pulldown_cmark::{Event, Parser, Tag, TagEnd};
use model::problem::Problem;
use model::project::Project;
use model::{api, references, suggest, uses};
use regex::Regex;
use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The names of the items of all crates, without their paths, each with the crates that have it.
pub type Items = BTreeMap<String, BTreeSet<String>>;

/// Identifiers on the pages and in the comments of programs that nothing verifies.
///
/// # Errors
///
/// A page or a listing can't be read.
pub fn unverified_identifiers(project: &Project, items: &Items) -> Result<Vec<Problem>, Problem> {
    let mut problems = Vec::new();
    for page in uses::pages(project).iter() {
        let text = messages::removed_from(&page.text);
        let shown = page_text::of(project, page)? + &page_text::whole_files(project, page)?;
        problems.extend(in_code_spans(&page.file, &text, &shown, items));
        // mdBook shows the labels of the table of contents as plain words.
        if page.file != "src/SUMMARY.md" {
            problems.extend(without_backticks(&page.file, &text, items));
        }
    }
    let apis = api::Map::read(project)?;
    let linked: String = apis.0.keys().map(|name| format!("{name}\n")).collect();
    let known: BTreeSet<&str> = words_in(&linked).chain(words_in(WORDS)).collect();
    let is_known = |word: &str| known.contains(word) || items.contains_key(word);
    for program in programs::all(project)? {
        let text = project.read(&program.file)?;
        problems.extend(in_comments(&program.file, &text, &linked, is_known));
    }
    Ok(problems)
}

/// Protocols whose names are also those of items.
const PROTOCOLS: [&str; 1] = ["WebSocket"];

/// Identifiers that are written as plain words.
fn without_backticks(file: &str, page: &str, items: &Items) -> Vec<Problem> {
    static CODE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"\{\{#[^}]*\}\}|\w+://\S+|\w+(?:::\w+)+|\b[a-z]+(?:_[a-z0-9]+)+\b|\b[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+\b",
        )
    });
    let lines = Lines::of(page);
    let mut problems = Vec::new();
    let mut in_block = false;
    for (event, range) in Parser::new_ext(page, references::OPTIONS).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_block = true,
            Event::End(TagEnd::CodeBlock) => in_block = false,
            // A directive may be one text with the words around it, or several.
            Event::Text(_) if !in_block && !is_in_directive_or_label(&page[..range.start]) => {
                for found in CODE.find_iter(&page[range.clone()]) {
                    let name = found.as_str();
                    let is_code = name.contains("::")
                        || name.contains('_')
                        || (items.contains_key(name) && !PROTOCOLS.contains(&name));
                    if is_code && !name.starts_with("{{#") && !name.contains("://") {
                        let message = format!(
                            "`{name}` is written as plain words, so nothing checks that it exists; write it as code, or \
                             as a link if it's an API: [`{name}`]"
                        );
                        let line = lines.at(range.start + found.start());
                        problems.push(Problem::at(file, line, message));
                    }
                }
            }
            _ => {}
        }
    }
    problems
}

fn is_in_directive_or_label(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.contains("{{#") || line.ends_with("][")
}

/// Identifiers between backticks in the comments of a program (its caption is one) that are neither in its code nor
/// known otherwise; `linked` has the paths of APIs.
fn in_comments(
    file: &str,
    text: &str,
    linked: &str,
    is_known: impl Fn(&str) -> bool,
) -> Vec<Problem> {
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let code = code.collect::<Vec<_>>().join("\n");
    let in_code = LazyCell::new(|| words_in(&code).collect::<BTreeSet<_>>());
    let mut problems = Vec::new();
    for (number, line) in numbered(text) {
        let (_, comment) = line.split_once("//").unwrap_or_default();
        let spans = comment.split('`').skip(1).step_by(2);
        for span in spans.filter(|span| !is_checked_elsewhere(span)) {
            let mut paths = PATH.find_iter(span).map(|path| path.as_str());
            let unknown_path = paths.find(|path| !code.contains(path) && !linked.contains(path));
            let unknown_word = words_in(span).find(|word| {
                let plain = word.trim_end_matches('!');
                let mut forms = [*word, plain].into_iter();
                plain.len() > 1 && !forms.any(|word| is_known(word) || in_code.contains(word))
            });
            if let Some(name) = unknown_path.or(unknown_word) {
                let message = format!(
                    "`{name}` is in a comment, and neither in the code nor an API that a page links, so nothing checks \
                     that it exists"
                );
                problems.push(Problem::at(file, number, message));
            }
        }
    }
    problems
}

/// Words of Rust, of its prelude and of Cargo's manifests.
const WORDS: &str = "\
    as async await bool break char const continue crate dyn else enum extern f32 f64 false fn for i16 i32 \
    i64 i8 if impl in isize let loop main match mod move mut pub ref return self static str struct super \
    trait true type u16 u32 u64 u8 unsafe use usize where while \
    Self Box Clone Copy Debug Default Drop Eq Err Fn FnMut FnOnce From Into Iterator None Ok Option Ord \
    PartialEq Result Send Some String Sync Vec drop print println \
    bin cfg dependencies dev-dependencies features package profile test workspace";

static WORD: LazyLock<Regex> = LazyLock::new(|| regex(r"[A-Za-z_][A-Za-z0-9_-]*!?"));

static PATH: LazyLock<Regex> = LazyLock::new(|| regex(r"\b\w+(?:::\w+)+"));

/// An item that a program defines.
static DEFINITION: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\b(?:struct|enum|trait|type|const|static) (\w+)"));

/// Arguments that represent any value: `(limit)`, `(n, ..)`.
static PLACEHOLDERS: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\((?:[a-z_]+|\.\.|\d+)(?:, (?:[a-z_]+|\.\.|\d+))*\)"));

fn words_in(text: &str) -> impl Iterator<Item = &str> {
    WORD.find_iter(text).map(|word| word.as_str())
}

fn in_code_spans(file: &str, page: &str, shown: &str, items: &Items) -> Vec<Problem> {
    let apis = api::named(page);
    let linked: BTreeSet<&str> = apis.iter().flat_map(|api| words_in(&api.name)).collect();
    let is_checked_path =
        |path: &str| shown.contains(path) || apis.iter().any(|api| api.name.contains(path));
    // A program's own type, whose name an API of some dependency may have, too.
    let defined: BTreeSet<&str> = DEFINITION
        .captures_iter(shown)
        .filter_map(|found| Some(found.get(1)?.as_str()))
        .collect();
    let shown: BTreeSet<&str> = words_in(shown).collect();
    let rust: BTreeSet<&str> = WORDS.split_whitespace().collect();
    let mut problems = Vec::new();
    let mut reported = BTreeSet::new();
    for span in code_spans(page, &apis) {
        let text = PLACEHOLDERS.replace_all(&span.text, "()");
        for path in PATH.find_iter(&text).map(|path| path.as_str()) {
            // Each part of a path may be known, and the whole not exist.
            if !is_checked_path(path) && reported.insert(path.to_owned()) {
                let message = format!(
                    "`{path}` is neither in a program on this page nor in a link to an API, so nothing checks that it \
                     exists; write it as a link, [`{path}`], once on this page"
                );
                problems.push(Problem::at(file, span.line, message));
            }
        }
        for word in words_in(&text) {
            // A macro may be named without its exclamation mark.
            let plain = word.trim_end_matches('!');
            let is_in = |set: &BTreeSet<&str>| set.contains(word) || set.contains(plain);
            let is_known = rust.contains(plain) || defined.contains(plain) || is_in(&linked);
            if plain.len() == 1 || is_known {
                continue;
            }
            let is_type_or_macro =
                plain.starts_with(|c: char| c.is_ascii_uppercase()) || word.ends_with('!');
            let message = match items.get(plain) {
                Some(crates) if is_type_or_macro || !is_in(&shown) => format!(
                    "`{word}` is an API of {}, and nothing checks that it exists; write it as a link, [`{word}`], once \
                     on this page",
                    Vec::from_iter(crates.iter().map(String::as_str)).join(" and ")
                ),
                _ if is_in(&shown) => continue,
                _ => format!(
                    "`{word}` is in no program, output, or manifest on this page, so nothing checks that it exists{}. \
                     Correct it, show it, or, if it's an API, write it as a link: [`{word}`]",
                    suggest::did_you_mean(plain, shown.iter().chain(&linked).copied())
                ),
            };
            if reported.insert(word.to_owned()) {
                problems.push(Problem::at(file, span.line, message));
            }
        }
    }
    problems
}

/// Code between backticks that isn't in a link.
struct Span {
    line: usize,
    text: String,
}

fn code_spans(page: &str, apis: &[api::ApiName]) -> Vec<Span> {
    let lines = Lines::of(page);
    let mut spans = Vec::new();
    let mut links = 0;
    for (event, range) in Parser::new_ext(page, references::OPTIONS).into_offset_iter() {
        match event {
            Event::Start(Tag::Link { .. }) => links += 1,
            Event::End(TagEnd::Link) => links -= 1,
            Event::Code(text) if links == 0 && !page[range.end..].starts_with("][") => {
                let line = lines.at(range.start);
                let is_api = apis.iter().any(|api| api.line == line && api.name == *text);
                if !is_api && !is_checked_elsewhere(&text) {
                    let text = text.into_string();
                    spans.push(Span { line, text });
                }
            }
            _ => {}
        }
    }
    spans
}

/// Commands, options, paths, addresses, and directives: `tests/commands.rs` and the preprocessor check these.
fn is_checked_elsewhere(code: &str) -> bool {
    let starts = ["cargo ", "mdbook ", "bash ", "--", "{{#"];
    starts.iter().any(|start| code.starts_with(start)) || is_path(code)
}

/// Whether a piece of code is a path or address, and not an expression.
pub fn is_path(code: &str) -> bool {
    static FILE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^[\w.-]*(?:/[\w.-]*)+$|^[\w-]*\.(?:rs|toml|md|lock|txt|out|stderr|yml|css|json|html)$|^\w+://\S+$",
        )
    });
    FILE.is_match(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "async fn ship_all() { tasks.join_next().await; sleep(x).await }";

    fn found(page: &str) -> Vec<(usize, String)> {
        let tokio = BTreeSet::from(["tokio".to_owned()]);
        let names = ["JoinSet", "sleep", "select", "timeout"];
        let items = names.map(|name| (name.to_owned(), tokio.clone())).into();
        in_code_spans("p.md", page, SHOWN, &items)
            .into_iter()
            .map(|problem| {
                let word = problem.message.split('`').nth(1).map(str::to_owned);
                (
                    problem.line.expect("a line"),
                    word.expect("a name in backticks"),
                )
            })
            .collect()
    }

    fn one(line: usize, name: &str) -> Vec<(usize, String)> {
        vec![(line, name.to_owned())]
    }

    #[test]
    fn an_api_that_is_never_linked_is_found() {
        assert_eq!(found("a\n\nA `JoinSet` here."), one(3, "JoinSet"));
        assert_eq!(found("`select!`"), one(1, "select!"));
        assert_eq!(found("`timeout`"), one(1, "timeout"));
        assert_eq!(found("`JoinSet::len`")[0], (1, "JoinSet::len".to_owned()));
        assert_eq!(
            found("[`JoinSet`] and `JoinSet::sleep`"),
            one(1, "JoinSet::sleep")
        );
    }

    #[test]
    fn a_link_anywhere_on_the_page_is_enough() {
        assert!(found("A [`JoinSet`], and the `JoinSet` again.").is_empty());
        assert!(found("`Vec<JoinSet>` [a list][tokio::task::JoinSet]").is_empty());
        assert!(found("[`JoinSet::len`] or `JoinSet::len(x)`").is_empty());
        assert!(found("[`select!`] and `select!`, [`JoinSet`][tokio::JoinSet]").is_empty());
    }

    #[test]
    fn what_the_page_shows_or_rust_knows_needs_no_link() {
        assert!(found("`join_next`, `ship_all`, `sleep`, `while let Some(Ok(Ok(..)))`").is_empty());
        assert!(found("`join_next(limit, ..)`, `'static`, `async move`, `N`").is_empty());
        assert!(found("`src/main.rs`, `Cargo.toml`, `cargo frobnicate`, `--open`").is_empty());
        assert!(found("`http://127.0.0.1:3000/` `{{#listing x/y}}`").is_empty());
        // A link elsewhere is followed by the link check; the page continues after it.
        assert!(found("[`elsewhere`](page.md) and [the `nearby`](page.md)").is_empty());
        assert_eq!(found("[`elsewhere`](page.md), `other`"), one(1, "other"));
        assert!(found("[`len()`][JoinSet::len] `ship_all!`").is_empty());
        let items = [("Group".to_owned(), BTreeSet::new())].into();
        let own = in_code_spans("p.md", "`Group`", "struct Group { id: u32 }", &items);
        assert!(
            own.is_empty(),
            "a program's own type isn't the API: {own:?}"
        );
        assert_eq!(found("`JoinSet`"), one(1, "JoinSet"));
    }

    #[test]
    fn a_name_among_plain_words_is_found() {
        let items: Items = [("JoinSet".to_owned(), BTreeSet::new())].into();
        let found = |page: &str| -> Vec<Option<usize>> {
            let problems = without_backticks("p.md", page, &items);
            problems.into_iter().map(|problem| problem.line).collect()
        };
        for text in ["JoinSet::len", "Take a JoinSet.", "call join_next on it"] {
            assert_eq!(found(&format!("a\n\n{text}\n")), [Some(3)], "{text}");
        }
        for text in [
            "{{#listing tasks/join_set:ship_all}}",
            "Tokio {{#version tokio}} and `join_next`, [`len`][JoinSet::len], [x](join_set.md#a_b)",
            "<https://example.com/a_b>, PostgreSQL on GitHub",
            "```console\n$ cargo run --bin join_set\n```",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_name_in_a_comment_that_nothing_checks_is_found() {
        let program = "//! Wait with `join_next`.\n\n// `ship` and `Vec`, not `sihp`.\nfn ship() { x.join_next() } // `JoinSet::join_nxt`\n";
        let lines: Vec<_> = in_comments("a.rs", program, "JoinSet\n", |word| word == "Vec")
            .into_iter()
            .map(|problem| problem.line)
            .collect();
        assert_eq!(lines, [Some(3), Some(4)]);
    }

    #[test]
    fn what_nothing_knows_is_found_with_what_was_meant() {
        assert_eq!(found("`join_nxt`"), one(1, "join_nxt"));
        assert_eq!(found("`join_next::<Order>()`"), one(1, "Order"));
        let unlike = in_code_spans("p.md", "`qqq`", SHOWN, &Items::new());
        assert!(!unlike[0].message.contains("did you mean"), "{unlike:?}");
        let problems = in_code_spans("p.md", "`join_nxt`", SHOWN, &Items::new());
        assert!(
            problems[0].message.contains("did you mean `join_next`?"),
            "{problems:?}"
        );
    }
}
