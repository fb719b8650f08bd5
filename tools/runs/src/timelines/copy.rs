//! The copy of a listing that is recorded: the listing's own lines, with marks in them.
//!
//! Tokio does not tell which line a task awaits, so each await of the copy, and each branch of a
//! `select!` or `join!`, has a mark: `sleep(wait).await` becomes
//! `sleep(wait).recorded(12, "sleep").await`, on the same line. The future behind a mark does as the one
//! in it does. That the copy is still the same program is checked where it runs: it must print the same.

use anyhow::{Context, Result, anyhow};
use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use std::ops::{Range, RangeInclusive};

/// Where a task may be spawned, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The line, from 1.
    pub line: u32,
    /// The columns (from 1) by which the compiler may name the call: its path's first word, and its last.
    pub columns: [u32; 2],
    /// The function or block that is spawned.
    pub name: String,
    /// Whether it is the program's `main`.
    pub is_main: bool,
}

/// A function, and the lines (from 1) where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// From its name to the end of its body.
    pub lines: RangeInclusive<u32>,
}

/// What is where in a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Where tasks may be spawned.
    pub sites: Vec<Site>,
    /// Its functions; one inside of another comes later.
    pub functions: Vec<Function>,
}

/// A listing's text with marks, as a module of this name with a function `run_main`.
///
/// Fails if the text is not Rust.
pub fn marked(text: &str, module: &str) -> Result<String> {
    let mut inserts = Inserts {
        module: module.to_owned(),
        ..Inserts::default()
    };
    mark(&tokens(text)?, &mut inserts);
    let mut copy = inserts.into_text(text);
    // `main`'s future is not nameable, its result may be anything that ends a program.
    copy.push_str(
        "\nuse ::recorder::Mark as _;\n\
         pub fn run_main() -> impl ::std::process::Termination {\n    main()\n}\n",
    );
    Ok(copy)
}

/// What is where in a text with marks.
///
/// Fails if the text is not Rust.
pub fn places(text: &str) -> Result<Places> {
    let tokens = tokens(text)?;
    let mut places = Places::default();
    find_functions(&tokens, &mut places.functions);
    let Places { sites, functions } = &mut places;
    find_sites(&tokens, functions, sites);
    Ok(places)
}

fn tokens(text: &str) -> Result<Vec<TokenTree>> {
    let stream: TokenStream = text
        .parse()
        .map_err(|error| anyhow!("{error}"))
        .context("this is not Rust")?;
    Ok(stream.into_iter().collect())
}

/// What is put into a text, and where.
#[derive(Default)]
struct Inserts {
    module: String,
    texts: Vec<(usize, String)>,
}

impl Inserts {
    fn put(&mut self, at: usize, text: impl Into<String>) {
        self.texts.push((at, text.into()));
    }

    /// A mark around an expression.
    fn around(&mut self, expression: &[TokenTree]) {
        let (Some(range), Some(last)) = (range(expression), expression.last()) else {
            return;
        };
        let line = last.span().end().line;
        self.put(range.start, "(");
        self.put(
            range.end,
            format!(").recorded({line}, {:?})", called(expression)),
        );
    }

    fn into_text(mut self, text: &str) -> String {
        // At the same place: in the order in which they were put.
        self.texts.sort_by_key(|(at, _)| *at);
        let mut copy = String::new();
        let mut from = 0;
        for (at, insert) in self.texts {
            copy.push_str(&text[from..at]);
            copy.push_str(&insert);
            from = at;
        }
        copy.push_str(&text[from..]);
        copy
    }
}

fn range(tokens: &[TokenTree]) -> Option<Range<usize>> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    Some(first.span().byte_range().start..last.span().byte_range().end)
}

fn is_punct(token: Option<&TokenTree>, char: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

fn is_word(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

fn group(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<&Group> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group),
        _ => None,
    }
}

fn mark(tokens: &[TokenTree], inserts: &mut Inserts) {
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1);
        match token {
            // `.await`
            TokenTree::Ident(word)
                if word == "await" && at > 0 && is_punct(tokens.get(at - 1), '.') =>
            {
                let line = word.span().start().line;
                let what = called(&tokens[..at - 1]);
                let dot = tokens[at - 1].span().byte_range().start;
                inserts.put(dot, format!(".recorded({line}, {what:?})"));
            }
            // The copy is a module of a larger program.
            TokenTree::Ident(word) if word == "crate" && is_punct(next, ':') => {
                let module = format!("::{}", inserts.module);
                inserts.put(word.span().byte_range().end, module);
            }
            // A module inside has names of its own.
            TokenTree::Ident(word) if word == "mod" => {
                if let Some(body) = group(tokens.get(at + 2), Delimiter::Brace) {
                    let open = body.span_open().byte_range().end;
                    inserts.put(open, " use ::recorder::Mark as _;");
                }
            }
            TokenTree::Ident(word) if is_punct(next, '!') => {
                if let Some(TokenTree::Group(body)) = tokens.get(at + 2) {
                    let body: Vec<_> = body.stream().into_iter().collect();
                    match &*word.to_string() {
                        "select" => branches(&body).for_each(|branch| inserts.around(branch)),
                        "join" | "try_join" => {
                            futures(&body).for_each(|future| inserts.around(future));
                        }
                        _ => {}
                    }
                }
            }
            TokenTree::Group(group) => {
                mark(&group.stream().into_iter().collect::<Vec<_>>(), inserts);
            }
            _ => {}
        }
    }
}

/// The tokens behind `biased;`.
fn behind_biased(body: &[TokenTree]) -> &[TokenTree] {
    match body {
        [word, semicolon, rest @ ..]
            if is_word(Some(word), "biased") && is_punct(Some(semicolon), ';') =>
        {
            rest
        }
        _ => body,
    }
}

/// The futures of a `join!`.
fn futures(body: &[TokenTree]) -> impl Iterator<Item = &[TokenTree]> {
    behind_biased(body).split(|token| is_punct(Some(token), ','))
}

/// The futures of a `select!`: what stands between `=` and `=>` (or `, if`).
fn branches(body: &[TokenTree]) -> impl Iterator<Item = &[TokenTree]> {
    let mut rest = behind_biased(body);
    std::iter::from_fn(move || {
        loop {
            let arrow = (0..rest.len())
                .find(|at| is_punct(rest.get(*at), '=') && is_punct(rest.get(at + 1), '>'))?;
            let (branch, handler) = (&rest[..arrow], &rest[arrow + 2..]);
            // A block needs no comma behind it.
            let is_block = group(handler.first(), Delimiter::Brace).is_some();
            let comma = handler.iter().position(|token| is_punct(Some(token), ','));
            let end = match (is_block, comma) {
                (true, _) => 1 + usize::from(is_punct(handler.get(1), ',')),
                (false, Some(comma)) => comma + 1,
                (false, None) => handler.len(),
            };
            rest = &handler[end.min(handler.len())..];
            let Some(equals) = branch.iter().position(|token| is_punct(Some(token), '=')) else {
                // `else => ...` has no future.
                continue;
            };
            let future = &branch[equals + 1..];
            let condition = (0..future.len())
                .find(|at| is_punct(future.get(*at), ',') && is_word(future.get(at + 1), "if"));
            return Some(&future[..condition.unwrap_or(future.len())]);
        }
    })
}

/// What an expression that ends here calls: `ship` of `ship(order)`, `recv` of `orders.recv()`.
fn called(tokens: &[TokenTree]) -> String {
    let mut tokens = tokens.iter().rev();
    let mut last = tokens.next();
    // Arguments.
    if group(last, Delimiter::Parenthesis).is_some() {
        last = tokens.next();
    }
    // `join_all::<Vec<_>>` and `x?`: rare, and not worth more than this.
    match last {
        Some(TokenTree::Ident(word)) => word.to_string(),
        _ => String::new(),
    }
}

fn find_sites(tokens: &[TokenTree], functions: &[Function], sites: &mut Vec<Site>) {
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Ident(word) = token
            && ["spawn", "block_on"]
                .iter()
                .any(|start| word.to_string().starts_with(start))
            && let Some(arguments) = group(tokens.get(at + 1), Delimiter::Parenthesis)
        {
            let arguments: Vec<_> = arguments.stream().into_iter().collect();
            sites.push(Site {
                line: number(word.span().start().line),
                columns: [column(path_start(&tokens[..=at])), column(word.span())],
                name: spawned(&word.to_string(), &arguments, functions),
                is_main: false,
            });
        }
        if is_word(Some(token), "main") && at > 0 && is_word(tokens.get(at - 1), "fn") {
            sites.push(Site {
                line: number(token.span().start().line),
                columns: [column(token.span()); 2],
                name: "main".to_owned(),
                is_main: true,
            });
        }
        if let TokenTree::Group(group) = token {
            let inner: Vec<_> = group.stream().into_iter().collect();
            find_sites(&inner, functions, sites);
        }
    }
}

fn find_functions(tokens: &[TokenTree], functions: &mut Vec<Function>) {
    for (at, token) in tokens.iter().enumerate() {
        if is_word(Some(token), "fn")
            && let Some(TokenTree::Ident(name)) = tokens.get(at + 1)
            && let Some(body) = tokens[at..]
                .iter()
                .find_map(|token| group(Some(token), Delimiter::Brace))
        {
            functions.push(Function {
                name: name.to_string(),
                lines: number(name.span().start().line)..=number(body.span().end().line),
            });
        }
        if let TokenTree::Group(group) = token {
            find_functions(&group.stream().into_iter().collect::<Vec<_>>(), functions);
        }
    }
}

fn number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

fn column(span: Span) -> u32 {
    number(span.start().column + 1)
}

/// The first word of the path that ends here: `tokio` of `tokio::task::spawn`.
fn path_start(tokens: &[TokenTree]) -> Span {
    let mut at = tokens.len() - 1;
    while at >= 3
        && is_punct(tokens.get(at - 1), ':')
        && is_punct(tokens.get(at - 2), ':')
        && matches!(tokens[at - 3], TokenTree::Ident(_))
    {
        at -= 3;
    }
    tokens[at].span()
}

/// The name of the future among the arguments of a call that spawns it.
fn spawned(call: &str, arguments: &[TokenTree], functions: &[Function]) -> String {
    let arguments: Vec<&[TokenTree]> = arguments
        .split(|token| is_punct(Some(token), ','))
        .filter(|argument| !argument.is_empty())
        .collect();
    // `spawn_on(future, runtime)`; `spawn(key, future)` of a map; and the map's `spawn_on`, with both.
    let behind = usize::from(call.ends_with("_on") && call.starts_with("spawn"));
    let Some(future) = arguments.iter().rev().nth(behind) else {
        return "task".to_owned();
    };
    let name = match future.last() {
        Some(TokenTree::Group(block)) if block.delimiter() == Delimiter::Brace => {
            awaited(block, functions)
        }
        _ => called(future),
    };
    if name.is_empty() {
        "block".to_owned()
    } else {
        name
    }
}

/// A block is called after the first of the listing's own functions that it awaits, or else after whatever
/// it awaits first.
fn awaited(block: &Group, functions: &[Function]) -> String {
    let tokens: Vec<_> = block.stream().into_iter().collect();
    let mut calls = (1..tokens.len())
        .filter(|at| is_punct(tokens.get(at - 1), '.') && is_word(tokens.get(*at), "recorded"))
        .map(|at| called(&tokens[..at - 1]))
        .peekable();
    let first = calls.peek().cloned();
    let own = calls.find(|call| functions.iter().any(|function| function.name == *call));
    own.or(first).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::rows;

    #[test]
    fn each_await_and_each_branch_has_a_mark_on_its_line() {
        for [text, expected] in rows(include_str!("marks.txt")) {
            let copy = marked(&text, "listing").unwrap();
            let (copy, _) = copy.split_once("\nuse ::recorder").unwrap();
            assert_eq!(copy, expected);
        }
        assert!(marked("fn main() { (", "listing").is_err());
    }

    #[test]
    fn what_is_spawned_has_a_name() {
        for [spawn, expected] in rows(include_str!("names.txt")) {
            let text = format!("async fn work() {{}}\nfn main() {{ {spawn}; }}\n");
            let places = places(&marked(&text, "listing").unwrap()).unwrap();
            let mut sites = places.sites.into_iter().filter(|site| !site.is_main);
            assert_eq!(sites.next().unwrap().name, expected, "{spawn}");
        }
    }

    #[test]
    fn a_site_has_the_places_that_the_compiler_may_tell() {
        let places = places("fn main() {\n    tokio::task::spawn(a());\n}\n").unwrap();
        let site = places.sites.iter().find(|site| !site.is_main).unwrap();
        assert_eq!((site.line, site.columns), (2, [5, 18]));
    }
}
