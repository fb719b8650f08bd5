//! Checks the code that authors write between backticks: whatever it names is there.
//!
//! An API of the crates that the listings depend on is linked to its documentation, once on each page at
//! least; the link is what checks it. Everything else that is named in prose stands in a program, an
//! output, a message or a manifest that the page shows, where it was compiled or printed; or it is Rust's
//! own word. What is none of these is a slip, or has gone stale.

use crate::{messages, shown};
use mdbook_markdown::pulldown_cmark::{Event, Parser, Tag, TagEnd};
use model::listing::ListingName;
use model::problem::Problem;
use model::project::Project;
use model::{api, references, uses};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The names of the items of each crate, without their paths, each with the crates that have it.
pub type Items = BTreeMap<String, BTreeSet<String>>;

/// Names in the prose of all pages that nothing checks.
///
/// # Errors
///
/// A page or a listing cannot be read.
pub fn unchecked(project: &Project, items: &Items) -> Result<Vec<Problem>, Problem> {
    let mut problems = Vec::new();
    for file in uses::pages_below(project, "src") {
        let page = messages::left_out(&project.read(&file)?);
        let shown = shown::on_page(project, &file)?;
        problems.extend(unchecked_on(&file, &page, &shown, items));
        problems.extend(without_backticks(&file, &page, items));
    }
    let linked: String = api::Map::read(project)?
        .0
        .keys()
        .cloned()
        .map(|name| name + "\n")
        .collect();
    let failed = |error: anyhow::Error| Problem::of("listings", format!("{error:#}"));
    let listings = project.listings().map_err(failed)?;
    let programs = project.compile_fail_programs().map_err(failed)?;
    let sources = listings.iter().map(ListingName::source);
    let unstable = project.unstable_programs().map_err(failed)?;
    let programs = programs.iter().map(ListingName::compile_fail);
    let unstable = unstable.iter().map(ListingName::unstable);
    for file in sources.chain(programs).chain(unstable) {
        let text = project.read(&file)?;
        problems.extend(unchecked_in_comments(&file, &text, &linked, items));
    }
    Ok(problems)
}

/// Names of code that stand among plain words, where nothing checks them.
fn without_backticks(file: &str, page: &str, items: &Items) -> Vec<Problem> {
    static CODE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\{\{#[^}]*\}\}|\w+://\S+|\w+(?:::\w+)+|\b[a-z]+(?:_[a-z0-9]+)+\b|\b[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+\b")
            .expect("a constant expression")
    });
    let line_of = |at: usize| 1 + page[..at].matches('\n').count();
    let mut problems = Vec::new();
    let mut in_block = false;
    for (event, range) in Parser::new_ext(page, references::OPTIONS).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_block = true,
            Event::End(TagEnd::CodeBlock) => in_block = false,
            Event::Text(_) if !in_block => {
                // A directive or a reference may be one text with its neighbors, or several.
                let written = &page[range.clone()];
                for found in CODE.find_iter(written) {
                    let name = found.as_str();
                    let is_code =
                        name.contains("::") || name.contains('_') || items.contains_key(name);
                    let is_label = page[..range.start].ends_with("][");
                    let in_directive = name.starts_with("{{#")
                        || name.contains("://")
                        || page[..range.start]
                            .rsplit('\n')
                            .next()
                            .is_some_and(|line| line.contains("{{#"));
                    if is_code && !in_directive && !is_label {
                        problems.push(Problem::at(
                            file,
                            line_of(range.start + found.start()),
                            format!(
                                "`{name}` stands among plain words, where nothing checks that it exists; write it as \
                                 code, or, if it is an API, as a link: [`{name}`]"
                            ),
                        ));
                    }
                }
            }
            _ => {}
        }
    }
    problems
}

/// Names between backticks in the comments of a program (and so in its caption) that are neither in its code
/// nor those of an API.
fn unchecked_in_comments(file: &str, text: &str, linked: &str, items: &Items) -> Vec<Problem> {
    let parts = |line: &'_ str| -> (String, String) {
        let (code, comment) = line.split_once("//").unwrap_or((line, ""));
        (code.to_owned(), comment.to_owned())
    };
    let code: String = text.lines().map(|line| parts(line).0 + "\n").collect();
    let in_code: BTreeSet<&str> = WORD.find_iter(&code).map(|word| word.as_str()).collect();
    let in_links: BTreeSet<&str> = WORD.find_iter(linked).map(|word| word.as_str()).collect();
    let known: BTreeSet<&str> = WORDS.split_whitespace().collect();
    let mut problems = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let comment = parts(line).1;
        for span in comment.split('`').skip(1).step_by(2) {
            if is_checked_elsewhere(span) {
                continue;
            }
            let unknown_path = PATH
                .find_iter(span)
                .map(|path| path.as_str())
                .find(|path| !code.contains(path) && !linked.contains(path));
            let unknown_word = WORD.find_iter(span).map(|word| word.as_str()).find(|word| {
                let plain = word.trim_end_matches('!');
                let has = |set: &BTreeSet<&str>| set.contains(word) || set.contains(plain);
                let is_item = items.contains_key(plain);
                plain.len() > 1 && !has(&known) && !has(&in_code) && !has(&in_links) && !is_item
            });
            if let Some(name) = unknown_path.or(unknown_word) {
                problems.push(Problem::at(
                    file,
                    number + 1,
                    format!(
                        "`{name}` stands in a comment, and neither in the code nor among the APIs that the pages link, \
                         so nothing checks that it exists"
                    ),
                ));
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

static WORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[A-Za-z_][A-Za-z0-9_-]*!?").expect("a constant expression"));

static PATH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b\w+(?:::\w+)+").expect("a constant expression"));

/// Values that stand for any value: `(limit)`, `(n, ..)`.
static PLACEHOLDERS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\((?:[a-z_]+|\.\.|\d+)(?:, (?:[a-z_]+|\.\.|\d+))*\)")
        .expect("a constant expression")
});

fn unchecked_on(file: &str, page: &str, shown: &str, items: &Items) -> Vec<Problem> {
    let words_in = |text: &str| -> BTreeSet<String> {
        let words = WORD.find_iter(text).map(|word| word.as_str().to_owned());
        words.collect()
    };
    let named = api::named(page);
    let linked: BTreeSet<String> = named.iter().flat_map(|api| words_in(&api.name)).collect();
    let is_checked_path = |path: &str| {
        let names = || named.iter().map(|api| api.name.as_str());
        names().chain([shown]).any(|text| text.contains(path))
    };
    let shown = words_in(shown);
    let known: BTreeSet<&str> = WORDS.split_whitespace().collect();
    let mut problems = Vec::new();
    let mut reported = BTreeSet::new();
    for span in spans(page) {
        let text = PLACEHOLDERS.replace_all(&span.text, "()");
        for path in PATH.find_iter(&text).map(|path| path.as_str()) {
            // Each name of it may be known, and what they name together not exist.
            if !is_checked_path(path) && reported.insert(path.to_owned()) {
                let message = format!(
                    "`{path}` stands neither in a program on this page nor in a link to an API, so nothing \
                     checks that it exists; write it as a link, [`{path}`], once on this page"
                );
                problems.push(Problem::at(file, span.line, message));
            }
        }
        for word in WORD.find_iter(&text).map(|word| word.as_str()) {
            // A macro is named with its mark or without, and so is a crate with a hyphen.
            let plain = word.trim_end_matches('!');
            let has = |set: &BTreeSet<String>| set.contains(word) || set.contains(plain);
            let is_api = items.get(plain).filter(|_| {
                plain.starts_with(|c: char| c.is_ascii_uppercase()) || word.ends_with('!')
            });
            if plain.len() == 1 || known.contains(plain) || has(&linked) {
                continue;
            }
            let message = match is_api.or_else(|| items.get(plain).filter(|_| !has(&shown))) {
                Some(crates) => format!(
                    "`{word}` names an API of {}, and nothing checks that it exists; write it as a link, \
                     [`{word}`], once on this page",
                    crates
                        .iter()
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .join(" and ")
                ),
                None if has(&shown) => continue,
                None => {
                    let near = shown.iter().chain(&linked).map(String::as_str);
                    let near = near
                        .map(|known| (strsim::jaro_winkler(known, plain), known))
                        .filter(|(likeness, _)| *likeness > 0.88)
                        .max_by(|a, b| a.0.total_cmp(&b.0));
                    let hint = near.map_or(String::new(), |(_, near)| {
                        format!(" Did you mean `{near}`?")
                    });
                    format!(
                        "`{word}` stands in no program, output or manifest on this page, so nothing checks that \
                         it exists.{hint} Correct it, show it, or, if it is an API, write it as a link: [`{word}`]"
                    )
                }
            };
            if reported.insert(word.to_owned()) {
                problems.push(Problem::at(file, span.line, message));
            }
        }
    }
    problems
}

/// Code between backticks, in no link.
struct Span {
    line: usize,
    text: String,
}

fn spans(page: &str) -> Vec<Span> {
    let line_of = |at: usize| 1 + page[..at].matches('\n').count();
    let apis: BTreeSet<(usize, String)> = api::named(page)
        .into_iter()
        .map(|api| (api.line, api.name))
        .collect();
    let mut spans = Vec::new();
    let mut links = 0;
    for (event, range) in Parser::new_ext(page, references::OPTIONS).into_offset_iter() {
        match event {
            Event::Start(Tag::Link { .. }) => links += 1,
            Event::End(TagEnd::Link) => links -= 1,
            Event::Code(text) => {
                let span = Span {
                    line: line_of(range.start),
                    text: text.into_string(),
                };
                let in_reference = apis.contains(&(span.line, span.text.clone()))
                    || page[range.end..].starts_with("][");
                if links == 0 && !in_reference && !is_checked_elsewhere(&span.text) {
                    spans.push(span);
                }
            }
            _ => {}
        }
    }
    spans
}

/// Commands, options, paths, addresses and directives: `tests/commands.rs` and the preprocessor know
/// these.
fn is_checked_elsewhere(code: &str) -> bool {
    let is_command = ["cargo ", "mdbook ", "bash "]
        .iter()
        .any(|start| code.starts_with(start));
    is_command || code.starts_with("--") || code.starts_with("{{#") || is_path(code)
}

/// Whether a piece of code is a path or address, and not an expression.
pub fn is_path(code: &str) -> bool {
    static FILE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[\w.-]*(?:/[\w.-]*)+$|^[\w-]*\.(?:rs|toml|md|lock|txt|out|stderr|yml|css|json|html)$|^\w+://\S+$")
            .expect("a constant expression")
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
        unchecked_on("p.md", page, SHOWN, &items)
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
        // What is linked somewhere else, the link's checker follows; and after it, the page goes on.
        assert!(found("[`elsewhere`](page.md) and [the `nearby`](page.md)").is_empty());
        assert_eq!(found("[`elsewhere`](page.md), `other`"), one(1, "other"));
        assert!(found("[`len()`][JoinSet::len] `ship_all!`").is_empty());
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
        let lines: Vec<_> = unchecked_in_comments("a.rs", program, "JoinSet\n", &Items::new())
            .into_iter()
            .map(|problem| problem.line)
            .collect();
        assert_eq!(lines, [Some(3), Some(4)]);
    }

    #[test]
    fn what_nothing_knows_is_found_with_what_was_meant() {
        assert_eq!(found("`join_nxt`"), one(1, "join_nxt"));
        assert_eq!(found("`join_next::<Order>()`"), one(1, "Order"));
        let unlike = unchecked_on("p.md", "`qqq`", SHOWN, &Items::new());
        assert!(!unlike[0].message.contains("Did you mean"), "{unlike:?}");
        let problems = unchecked_on("p.md", "`join_nxt`", SHOWN, &Items::new());
        assert!(
            problems[0].message.contains("Did you mean `join_next`?"),
            "{problems:?}"
        );
    }
}
