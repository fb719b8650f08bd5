//! Finds the authors' directives, `{{#name arguments}}`, in the text of a page.
//!
//! A directive inside a code block or a code span is text about directives, and is left alone.

use crate::crate_file::CrateFile;
use crate::program::{ProgramId, ProgramKind, ProgramRef};
use crate::since::Since;
use crate::suggest;
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use std::collections::HashSet;
use std::ops::{Range, RangeInclusive};

/// The directives there are, with what follows each name; the list that error messages show.
pub const KNOWN: &[(&str, &str)] = &[
    (
        "listing",
        "{{#listing part/name}} or {{#listing part/name:anchor}}",
    ),
    (
        "source",
        "{{#source crate/src/file.rs}} or {{#source crate/src/file.rs:anchor}}, for a crate in listings/ that isn't a part",
    ),
    ("output", "{{#output part/name}}"),
    (
        "compile_fail",
        "{{#compile_fail part/name}} or {{#compile_fail part/name:anchor}}",
    ),
    (
        "unstable",
        "{{#unstable part/name}} or {{#unstable part/name:anchor}}, for a program in listings/part/unstable/",
    ),
    (
        "timeline",
        "{{#timeline part/name}}, or {{#timeline part/wrong part/fixed}} on one scale",
    ),
    (
        "manifest",
        "{{#manifest part}}, {{#manifest part/unstable}}, or {{#manifest all}} for all parts together",
    ),
    ("measured", "{{#measured name}}, for benches/name.rs"),
    ("version", "{{#version crate}} or {{#version rust}}"),
    (
        "since",
        "{{#since crate version words}}, with words of its list of changes",
    ),
    ("count", "{{#count kind}}, such as {{#count listings}}"),
    (
        "index",
        "{{#index messages}}, {{#index apis a-z}} or {{#index search}}",
    ),
    ("versions", "{{#versions listings}}"),
    (
        "aliases",
        "{{#aliases words; other words}}, what readers type who look for the section",
    ),
    (
        "cancel_safety",
        "{{#cancel_safety group}}, a group of listings/concepts/cancel_safety.toml",
    ),
];

/// What an author asks for, with its arguments understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directive {
    /// `{{#listing}}`, `{{#compile_fail}}`, `{{#unstable}}`: a program, or what an anchor holds.
    Program(ProgramKind, ProgramRef),
    /// `{{#source}}`: a file of a crate that isn't a part, or what an anchor holds.
    Source(CrateFile),
    /// `{{#output}}`: what a program prints.
    Output(ProgramId),
    /// `{{#timeline}}`: how the tasks of these listings move, on one scale.
    Timeline(Vec<ProgramId>),
    /// `{{#manifest}}`: the dependencies of a part, or of all.
    Manifest(String),
    /// `{{#measured}}`: what came out of a benchmark.
    Measured(String),
    /// `{{#version}}`: the version of a crate.
    Version(String),
    /// `{{#since}}`: the version in which something came.
    Since(Since),
    /// `{{#count}}`: how many of a kind the book has.
    Count(String),
    /// `{{#index}}`: where things are found.
    Index(Index),
    /// `{{#versions}}`: a table of the versions of the crates that the listings use.
    Versions,
    /// `{{#cancel_safety}}`: a group of the cancel-safety table.
    CancelSafety(String),
    /// `{{#aliases}}`: what the section is found by besides its own words. Nothing of it is shown.
    Aliases(Vec<String>),
}

/// What there are indexes of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Index {
    /// The messages of programs and the compiler, except those on the pages of a part.
    Messages(Option<String>),
    /// The APIs whose names begin with these letters.
    Apis(RangeInclusive<char>),
    /// A search box, with everything that it finds.
    Search,
}

impl Directive {
    /// Understands a directive's name and argument.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what would fix it.
    pub fn parse(name: &str, argument: &str) -> Result<Self, String> {
        let Some((_, form)) = KNOWN.iter().find(|(known, _)| *known == name) else {
            return Err(unknown(name));
        };
        if argument.is_empty() {
            return Err(format!(
                "`{{{{#{name}}}}}` does not say of what; write {form}"
            ));
        }
        let text = argument.to_owned();
        let program = |kind| ProgramRef::parse(argument).map(|shown| Self::Program(kind, shown));
        match name {
            "listing" => program(ProgramKind::Listing),
            "compile_fail" => program(ProgramKind::CompileFail),
            "unstable" => program(ProgramKind::Unstable),
            "source" => CrateFile::parse(argument).map(Self::Source),
            "output" => ProgramId::parse(argument).map(Self::Output),
            "timeline" => {
                let names = argument.split_whitespace().map(ProgramId::parse);
                names.collect::<Result<_, _>>().map(Self::Timeline)
            }
            "manifest" => Ok(Self::Manifest(text)),
            "measured" => Ok(Self::Measured(text)),
            "version" => Ok(Self::Version(text)),
            "since" => Since::parse(argument).map(Self::Since),
            "count" => Ok(Self::Count(text)),
            "index" => Index::parse(argument).map(Self::Index),
            "versions" => Ok(Self::Versions),
            "cancel_safety" => Ok(Self::CancelSafety(text)),
            "aliases" => aliases(argument).map(Self::Aliases),
            _ => Err(unknown(name)),
        }
    }

    /// Whether it becomes a block of Rust.
    pub fn is_rust(&self) -> bool {
        match self {
            Self::Program(..) => true,
            Self::Source(shown) => shown.is_rust(),
            _ => false,
        }
    }

    /// Whether it becomes a part of a sentence; the others are blocks, and need a line of their own.
    pub fn is_inline(&self) -> bool {
        matches!(self, Self::Version(_) | Self::Since(_) | Self::Count(_))
    }
}

impl Index {
    fn parse(kind: &str) -> Result<Self, String> {
        match kind.split(' ').collect::<Vec<_>>()[..] {
            ["apis", letters] => parse_letters(letters).map(Self::Apis),
            ["messages"] => Ok(Self::Messages(None)),
            ["messages", "except", part] => Ok(Self::Messages(Some(part.to_owned()))),
            ["search"] => Ok(Self::Search),
            _ => Err(format!(
                "there is no index of `{kind}`; there are messages, apis a-z, search"
            )),
        }
    }
}

/// Reads `words; other words`.
fn aliases(text: &str) -> Result<Vec<String>, String> {
    let aliases: Vec<String> = text.split(';').map(|it| it.trim().to_owned()).collect();
    let mut seen = HashSet::new();
    for alias in &aliases {
        if alias.is_empty() {
            return Err(format!(
                "`{text}` has an empty alias; write one `;` between two"
            ));
        }
        if let Some(mark) = alias.chars().find(|it| "`*<>[]|".contains(*it)) {
            return Err(format!(
                "an alias is plain text, without `{mark}`: `{alias}`"
            ));
        }
        let mut words = alias.split(' ');
        if let Some(word) = words.find(|it| it.starts_with('_') || it.ends_with('_')) {
            return Err(format!(
                "`{word}` begins or ends with `_`, which Markdown takes for emphasis; leave it out"
            ));
        }
        if !seen.insert(alias) {
            return Err(format!("the alias `{alias}` stands here twice"));
        }
    }
    Ok(aliases)
}

/// Reads `a-i`, or one letter.
fn parse_letters(letters: &str) -> Result<RangeInclusive<char>, String> {
    let one = |text: &str| match text.trim().parse::<char>() {
        Ok(letter) if letter.is_ascii_lowercase() => Ok(letter),
        _ => Err(format!(
            "`{letters}` does not say which letters; write a-i, or a-z for all"
        )),
    };
    let (first, last) = letters.split_once('-').unwrap_or((letters, letters));
    Ok(one(first)?..=one(last)?)
}

fn unknown(name: &str) -> String {
    let hint = match name {
        "include" | "rustdoc_include" | "playground" => {
            "; code comes onto a page with {{#listing part/name}}".to_owned()
        }
        _ => suggest::did_you_mean(name, KNOWN.iter().map(|(name, _)| *name)),
    };
    let hint = match hint.as_str() {
        "" => {
            let forms: Vec<_> = KNOWN.iter().map(|(_, form)| *form).collect();
            format!("; there are {}", forms.join(", "))
        }
        _ => hint,
    };
    format!("`{{{{#{name}}}}}` is not a directive{hint}")
}

/// A directive and its place on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The bytes of the page that it takes up, braces included.
    pub range: Range<usize>,
    /// Its line on the page, from 1.
    pub line: usize,
    /// The word after `{{#`.
    pub name: String,
    /// The rest, with surrounding spaces cut off.
    pub argument: String,
    /// Whether it starts its line and nothing but spaces follows: the place for a block.
    pub alone: bool,
    /// What it asks for, or what is wrong with it.
    pub directive: Result<Directive, String>,
}

/// Something that looks like a directive but is none: its line (from 1) and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Its line on the page, from 1.
    pub line: usize,
    /// What is wrong, and what would fix it.
    pub message: String,
}

/// All directives of a page in order, and everything that looks like one but is not.
pub fn find(page: &str) -> (Vec<Placed>, Vec<Malformed>) {
    let code = code_ranges(page);
    let in_code = |at: usize| code.iter().any(|range| range.contains(&at));
    let mut directives = Vec::new();
    let mut malformed = Vec::new();
    let mut at = 0;
    while let Some(found) = page[at..].find('{') {
        let start = at + found;
        let rest = &page[start..];
        let braces = rest.chars().take_while(|c| *c == '{').count();
        let escaped = page[..start].ends_with('\\');
        let Some(kind) = opening(rest).filter(|_| !escaped && !in_code(start)) else {
            at = start + braces;
            continue;
        };
        let line = 1 + page[..start].matches('\n').count();
        let first_line = rest.lines().next().unwrap_or(rest);
        if kind == Opening::Misspelt {
            malformed.push(Malformed {
                line,
                message: format!(
                    "`{}` is not a directive; one is written {{{{#name arguments}}}}, \
                     and literal braces belong in a code span",
                    shorten(first_line)
                ),
            });
            at = start + braces;
            continue;
        }
        let Some(end) = first_line.find("}}") else {
            malformed.push(Malformed {
                line,
                message: format!(
                    "`{}` is not closed: `}}}}` is missing on this line",
                    shorten(first_line)
                ),
            });
            at = start + 3;
            continue;
        };
        let range = start..start + end + 2;
        let inner = &first_line[3..end];
        let (name, argument) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
        let starts_line = start == 0 || page[..start].ends_with('\n');
        let argument = argument.trim();
        directives.push(Placed {
            line,
            directive: Directive::parse(name, argument),
            name: name.to_owned(),
            argument: argument.to_owned(),
            alone: starts_line && first_line[end + 2..].trim().is_empty(),
            range: range.clone(),
        });
        at = range.end;
    }
    (directives, malformed)
}

#[derive(PartialEq)]
enum Opening {
    Directive,
    Misspelt,
}

/// What the text that starts with a brace opens, if anything.
fn opening(rest: &str) -> Option<Opening> {
    if rest.starts_with("{{#") {
        return Some(Opening::Directive);
    }
    if rest.starts_with("{{") {
        return Some(Opening::Misspelt);
    }
    // `{#id}` after a heading is mdBook's; `{#listing tasks/x}` is a slip of the finger.
    let slip = |name: &str| {
        rest.strip_prefix("{#")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with(char::is_whitespace))
    };
    KNOWN
        .iter()
        .any(|(name, _)| slip(name))
        .then_some(Opening::Misspelt)
}

fn shorten(line: &str) -> String {
    let line = line.trim_end();
    let mut short: String = line.chars().take(40).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

/// The bytes of a page that are code, as mdBook sees it.
fn code_ranges(page: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut block = None;
    let parser = new_cmark_parser(page, &MarkdownOptions::default());
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_)) => block = Some(range),
            Event::End(TagEnd::CodeBlock) => ranges.extend(block.take()),
            Event::Code(_) => ranges.push(range),
            _ => {}
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(page: &str) -> Vec<String> {
        find(page).0.into_iter().map(|d| d.name).collect()
    }

    #[test]
    fn finds_name_argument_line_and_place() {
        let (found, malformed) =
            find("# Title\n\n{{#listing tasks/join_set:main}}\nTokio {{#version tokio}}.\n");
        assert_eq!(malformed, []);
        assert_eq!(found[0].name, "listing");
        assert_eq!(found[0].argument, "tasks/join_set:main");
        assert_eq!((found[0].line, found[0].alone), (3, true));
        assert_eq!(found[1].argument, "tokio");
        assert_eq!((found[1].line, found[1].alone), (4, false));
    }

    #[test]
    fn aliases_are_plain_words() {
        let parse = |text| Directive::parse("aliases", text);
        let expected = ["goroutine leak", "OOM"].map(str::to_owned).to_vec();
        assert_eq!(
            parse("goroutine leak; OOM"),
            Ok(Directive::Aliases(expected))
        );
        for (text, message) in [
            ("leak;; OOM", "has an empty alias"),
            ("a `leak`", "is plain text"),
            ("OOM; OOM", "stands here twice"),
            ("the _guard", "begins or ends with `_`"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn leaves_code_alone() {
        assert!(names("```text\n{{#listing a/b}}\n```\n").is_empty());
        assert!(names("    {{#listing a/b}}\n").is_empty());
        assert!(names("Write `{{#listing a/b}}` on a line.").is_empty());
        assert!(names("Write ``{{#a}} ` {{#b}}`` on a line.").is_empty());
        let escaped = find("Write \\{{#listing a/b}}.");
        assert_eq!(escaped, (Vec::new(), Vec::new()));
        assert_eq!(names("`code` {{#version tokio}} `code`"), ["version"]);
    }

    #[test]
    fn reports_what_only_looks_like_a_directive() {
        let lines = |page: &str| find(page).1.into_iter().map(|m| m.line).collect::<Vec<_>>();
        assert_eq!(lines("a\n{{listing tasks/x}}\n"), [2]);
        assert_eq!(lines("{{ #listing tasks/x}}\n"), [1]);
        assert_eq!(lines("{#listing tasks/x}\n"), [1]);
        assert_eq!(lines("a\n\n{{#listing tasks/x\n}}\n"), [3]);
        assert!(lines("# Heading {#id}\n\nSets {a, b}.\n").is_empty());
    }

    #[test]
    fn what_is_not_closed_hides_nothing_behind_it() {
        let (found, malformed) = find("{{#a\n{{#output tasks/x}}\n{{#{{#version tokio}}\n");
        let lines: Vec<usize> = malformed.iter().map(|m| m.line).collect();
        assert_eq!(lines, [1]);
        let lines: Vec<usize> = found.iter().map(|d| d.line).collect();
        assert_eq!(lines, [2, 3]);
        assert_eq!(found[0].range, 5..24);
    }

    #[test]
    fn only_what_is_cut_short_says_so() {
        assert_eq!(shorten("short  "), "short");
        assert_eq!(shorten(&"x".repeat(40)), "x".repeat(40));
        assert_eq!(shorten(&"x".repeat(41)), format!("{}…", "x".repeat(40)));
    }

    #[test]
    fn windows_line_ends_count_as_one_line() {
        let (found, _) = find("# T\r\n\r\n{{#output tasks/x}}\r\n");
        assert_eq!((found[0].line, found[0].alone), (3, true));
        assert_eq!(found[0].argument, "tasks/x");
    }
}
