//! Code blocks that an author wrote on a page, and that nothing verifies.

use crate::problem::Problem;
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};

/// The language of the one kind of code block that an author writes by hand: commands, each line behind
/// `$ `. Everything else is drawn from a program that is run.
const COMMANDS: &str = "console";

/// The document whose commands are followed by what they print: a test of `cargo book` follows it and compares.
pub const WALKTHROUGH: &str = "CONTRIBUTING.md";

/// Code blocks on a page that no program stands behind.
pub fn hand_written_code(file: &str, page: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut commands = false;
    for (event, range) in new_cmark_parser(page, &MarkdownOptions::default()).into_offset_iter() {
        let line = 1 + page[..range.start].matches('\n').count();
        let kind = match event {
            Event::Start(Tag::CodeBlock(kind)) => kind,
            Event::Text(text) if commands && file != WALKTHROUGH => {
                let others = text.lines().enumerate();
                let others = others.filter(|(_, line)| !line.starts_with("$ ") && !line.is_empty());
                problems.extend(others.map(|(below, other)| {
                    let message = format!(
                        "`{}` is no command, which would begin with `$ `; what a command prints comes onto a page \
                         with {{{{#output part/name}}}}",
                        other.trim()
                    );
                    Problem::at(file, line + below, message)
                }));
                continue;
            }
            Event::End(TagEnd::CodeBlock) => {
                commands = false;
                continue;
            }
            _ => continue,
        };
        let message = match kind {
            CodeBlockKind::Indented => format!(
                "indented code is not checked by anything; commands go into a fence with `{COMMANDS}`, a program \
                 into a listing"
            ),
            CodeBlockKind::Fenced(info) => {
                let language = info.split([',', ' ', '\t']).next().unwrap_or_default();
                if *info == *COMMANDS {
                    commands = true;
                    continue;
                } else if language.to_ascii_lowercase().starts_with("rs")
                    || info.to_ascii_lowercase().contains("rust")
                {
                    "hand-written Rust code is not compiled; make it a listing: `cargo book new part/name` \
                     writes the file and prints the lines to paste here"
                        .to_owned()
                } else {
                    format!(
                        "a hand-written code block holds commands, as `{COMMANDS}`; this one is `{info}`, and \
                         nothing checks it. A program and what it prints come from a listing: `cargo book new part/name`"
                    )
                }
            }
        };
        problems.push(Problem::at(file, line, message));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_written_by_hand_is_refused_with_its_line() {
        let lines = |page: &str| {
            hand_written_code("p.md", page)
                .iter()
                .map(|p| p.line)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines("a\n\n```rust\nfn main() {}\n```\n"), [Some(3)]);
        for fence in [
            "rs",
            "rust,ignore",
            "Rust",
            "ignore,rust",
            "",
            "rust no_run",
            "text,rust",
            "text",
            "markdown",
            "console,rust",
            "Console",
            "toml",
            "c",
        ] {
            assert_eq!(
                lines(&format!("```{fence}\nx\n```\n")),
                [Some(1)],
                "{fence}"
            );
        }
        assert_eq!(lines("> ```rust\n> x\n> ```\n"), [Some(1)]);
        assert_eq!(lines("- a\n\n  ~~~rust\n  x\n  ~~~\n"), [Some(3)]);
        assert_eq!(lines("a\n\n    let x = 1;\n"), [Some(3)]);
        assert!(lines("```console\n$ cargo test\n\n$ cargo run\n```\n").is_empty());
        assert_eq!(lines("a\n\n```console\n$ cargo test\nok\n```\n"), [Some(5)]);
    }
}
