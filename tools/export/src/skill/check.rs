//! What must hold of the skill: its format, its links, and what its programs need and print.

use super::{COMMAND, FOLDER, slug};
use crate::links::{Target, target};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use pages::Problem;
use std::collections::{BTreeMap, BTreeSet};

/// The most characters that a description may have; the format says so.
const LONGEST_DESCRIPTION: usize = 1024;

/// The most lines of the first file, which an agent loads whole; the format says so.
const MOST_LINES: usize = 500;

/// A program of the skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its line in its file, from 1.
    pub line: usize,
    /// Its whole text.
    pub code: String,
    /// What it prints, as the file says.
    pub prints: String,
}

/// What a file of the skill has to compile.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// The manifest; empty where the file has none.
    pub manifest: String,
    /// The programs, in order.
    pub programs: Vec<Program>,
}

/// The blocks of code in a file of the skill.
pub fn blocks(text: &str) -> Blocks {
    let mut blocks = Blocks::default();
    let mut open: Option<(String, usize)> = None;
    let mut code = String::new();
    for (event, range) in new_cmark_parser(text, &MarkdownOptions::default()).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let line = text[..range.start].matches('\n').count() + 1;
                open = Some((info.to_string(), line));
                code.clear();
            }
            Event::Text(piece) if open.is_some() => code.push_str(&piece),
            Event::End(TagEnd::CodeBlock) => {
                let Some((info, line)) = open.take() else {
                    continue;
                };
                match info.as_str() {
                    "toml" if blocks.manifest.is_empty() => blocks.manifest.clone_from(&code),
                    "rust" => blocks.programs.push(Program {
                        line,
                        code: code.clone(),
                        prints: String::new(),
                    }),
                    "text" => {
                        if let Some(last) = blocks.programs.last_mut()
                            && last.prints.is_empty()
                        {
                            last.prints.clone_from(&code);
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    blocks
}

/// Where the files on disk are not those that the book makes.
pub fn stale(made: &BTreeMap<String, String>, on_disk: &BTreeMap<String, String>) -> Vec<Problem> {
    let names: BTreeSet<&String> = made.keys().chain(on_disk.keys()).collect();
    let mut problems = Vec::new();
    for name in names {
        let file = format!("{FOLDER}/{name}");
        let problem = match (made.get(name), on_disk.get(name)) {
            (Some(_), None) => Problem::of(file, format!("is missing; `{COMMAND}` writes it")),
            (None, Some(_)) => Problem::of(
                file,
                format!("belongs to no page any more; `{COMMAND}` removes it"),
            ),
            (Some(made), Some(found)) if made != found => {
                let same = made.lines().zip(found.lines()).take_while(|(a, b)| a == b);
                Problem::at(
                    file,
                    same.count() + 1,
                    format!("is not what the pages and listings say; `{COMMAND}` writes it anew"),
                )
            }
            _ => continue,
        };
        problems.push(problem);
    }
    problems
}

/// What is wrong with the files of the skill: the format, links that lead nowhere, programs without a manifest or
/// without what they print.
pub fn unsound(files: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = FOLDER.rsplit('/').next().unwrap_or_default();
    let first = files
        .get("SKILL.md")
        .map(String::as_str)
        .unwrap_or_default();
    let mut tell = |line: usize, message: String| {
        problems.push(Problem::at(format!("{FOLDER}/SKILL.md"), line, message));
    };
    let front = first
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"));
    let field = |key: &str| {
        let (front, _) = front?;
        let mut lines = front.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
    };
    if field("name") != Some(name) {
        tell(
            1,
            format!("the front matter must say `name: {name}`, as the folder does"),
        );
    }
    match field("description").map(|it| it.chars().count()) {
        None => tell(1, "the front matter has no description".to_owned()),
        Some(count) if count > LONGEST_DESCRIPTION => tell(
            1,
            format!("the description has {count} characters, and may have {LONGEST_DESCRIPTION}"),
        ),
        Some(_) => {}
    }
    let lines = first.lines().count();
    if lines > MOST_LINES {
        tell(
            MOST_LINES,
            format!("has {lines} lines, and may have {MOST_LINES}: an agent loads all of it"),
        );
    }
    for (name, text) in files {
        let file = format!("{FOLDER}/{name}");
        problems.extend(links(&file, name, text, files));
        let blocks = blocks(text);
        for program in &blocks.programs {
            if blocks.manifest.is_empty() {
                problems.push(Problem::at(
                    &file,
                    program.line,
                    "no manifest is shown for this program",
                ));
            }
            if program.prints.is_empty() {
                problems.push(Problem::at(
                    &file,
                    program.line,
                    "nothing says what this program prints",
                ));
            }
        }
    }
    problems
}

/// Links of a file that lead to no file of the skill, or to no heading there.
fn links(file: &str, name: &str, text: &str, files: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (event, range) in new_cmark_parser(text, &MarkdownOptions::default()).into_offset_iter() {
        let Event::Start(Tag::Link { dest_url, .. }) = event else {
            continue;
        };
        let Target::Inside { file: to, fragment } = target(name, &dest_url) else {
            continue;
        };
        let leads = files
            .get(&to)
            .is_some_and(|text| fragment.is_empty() || headings(text).contains(&fragment));
        if !leads {
            let line = text[..range.start].matches('\n').count() + 1;
            let message = format!("the link to {dest_url} leads nowhere in the skill");
            problems.push(Problem::at(file, line, message));
        }
    }
    problems
}

fn headings(text: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in new_cmark_parser(text, &MarkdownOptions::default()) {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
            (Event::End(TagEnd::Heading(_)), _) => {
                ids.extend(heading.take().map(|it| slug(&it)));
            }
            (Event::Text(text) | Event::Code(text), Some(heading)) => heading.push_str(&text),
            _ => {}
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "---\nname: rust-async-patterns\ndescription: D.\n---\n\n# S\n\nSee [a](references/a.md#b-c).\n";
    const REFERENCE: &str = "# A\n\n```toml\n[dependencies]\n```\n\n## B `c`\n\n```rust\nfn main() {}\n```\n\nPrints:\n\n```text\nx\n```\n";

    fn skill(first: &str, reference: &str) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("SKILL.md".to_owned(), first.to_owned()),
            ("references/a.md".to_owned(), reference.to_owned()),
        ])
    }

    fn told(first: &str, reference: &str) -> Vec<String> {
        let problems = unsound(&skill(first, reference));
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_skill_has_no_problem() {
        assert_eq!(told(SOUND, REFERENCE), [""; 0]);
    }

    #[test]
    fn each_fault_is_told_with_its_line() {
        let at = "skills/rust-async-patterns";
        let renamed = SOUND.replace("name: rust-async-patterns", "name: other");
        assert_eq!(
            told(&renamed, REFERENCE),
            [format!(
                "{at}/SKILL.md:1: the front matter must say `name: rust-async-patterns`, as the folder does"
            )]
        );
        let silent = SOUND.replace("description: D.\n", "");
        assert_eq!(
            told(&silent, REFERENCE),
            [format!(
                "{at}/SKILL.md:1: the front matter has no description"
            )]
        );
        let long = SOUND.replace("D.", &"D".repeat(1025));
        assert_eq!(
            told(&long, REFERENCE),
            [format!(
                "{at}/SKILL.md:1: the description has 1025 characters, and may have 1024"
            )]
        );
        let tall = format!("{SOUND}{}", "x\n".repeat(500));
        assert_eq!(
            told(&tall, REFERENCE),
            [format!(
                "{at}/SKILL.md:500: has 508 lines, and may have 500: an agent loads all of it"
            )]
        );
        let elsewhere = SOUND.replace("#b-c", "#b");
        assert_eq!(
            told(&elsewhere, REFERENCE),
            [format!(
                "{at}/SKILL.md:8: the link to references/a.md#b leads nowhere in the skill"
            )]
        );
        let without = REFERENCE.replace("```toml\n[dependencies]\n```\n\n", "");
        assert_eq!(
            told(SOUND, &without),
            [format!(
                "{at}/references/a.md:5: no manifest is shown for this program"
            )]
        );
        let silent = REFERENCE.replace("```text\nx\n```\n", "");
        assert_eq!(
            told(SOUND, &silent),
            [format!(
                "{at}/references/a.md:9: nothing says what this program prints"
            )]
        );
    }

    #[test]
    fn what_is_not_as_the_book_makes_it_is_told() {
        let made = skill(SOUND, REFERENCE);
        assert!(stale(&made, &made).is_empty());
        let mut other = skill(SOUND, &REFERENCE.replace("fn main() {}", "fn main() { }"));
        other.insert("references/old.md".to_owned(), String::new());
        other.remove("SKILL.md");
        let told: Vec<_> = stale(&made, &other)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "skills/rust-async-patterns/SKILL.md: is missing; `cargo book skill` writes it",
                "skills/rust-async-patterns/references/a.md:10: is not what the pages and listings say; `cargo book skill` writes it anew",
                "skills/rust-async-patterns/references/old.md: belongs to no page any more; `cargo book skill` removes it",
            ]
        );
    }

    #[test]
    fn the_blocks_are_a_manifest_and_programs_with_what_they_print() {
        let blocks = blocks(REFERENCE);
        assert_eq!(blocks.manifest, "[dependencies]\n");
        let [program] = blocks.programs.as_slice() else {
            panic!("one program: {blocks:?}");
        };
        assert_eq!(program.line, 9);
        assert_eq!(program.code, "fn main() {}\n");
        assert_eq!(program.prints, "x\n");
    }
}
