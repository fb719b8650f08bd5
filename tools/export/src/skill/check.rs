//! Checks the skill: its format, its links, and that each program has a manifest and an output.

use super::{COMMAND, FOLDER};
use crate::links::{Target, target};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use model::Problem;
use model::ids::heading_id;
use std::collections::{BTreeMap, BTreeSet};

/// The longest description that the format allows, in characters.
const MAX_DESCRIPTION: usize = 1024;

/// The longest first file that the format recommends, because an agent loads all of it.
const MAX_LINES: usize = 500;

/// A program of the skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its line in its file, from 1.
    pub line: usize,
    /// Its whole text.
    pub code: String,
    /// Its output, according to the file.
    pub prints: String,
}

/// The code of a file of the skill.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// The manifest; empty if the file has none.
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

/// The differences between the files on disk and those that are made from the book.
pub fn stale(made: &BTreeMap<String, String>, on_disk: &BTreeMap<String, String>) -> Vec<Problem> {
    let names: BTreeSet<&String> = made.keys().chain(on_disk.keys()).collect();
    let mut problems = Vec::new();
    for name in names {
        let file = format!("{FOLDER}/{name}");
        let problem = match (made.get(name), on_disk.get(name)) {
            (Some(_), None) => Problem::of(file, format!("is missing; `{COMMAND}` writes it")),
            (None, Some(_)) => Problem::of(
                file,
                format!("no longer belongs to any page; `{COMMAND}` removes it"),
            ),
            (Some(made), Some(found)) if made != found => {
                let same = made.lines().zip(found.lines()).take_while(|(a, b)| a == b);
                Problem::at(
                    file,
                    same.count() + 1,
                    format!("is out of date with the pages and listings; `{COMMAND}` updates it"),
                )
            }
            _ => continue,
        };
        problems.push(problem);
    }
    problems
}

/// Problems in the files of the skill: the format, broken links, and programs without a manifest or an output.
pub fn problems(files: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = FOLDER.rsplit('/').next().unwrap_or_default();
    let first = files
        .get("SKILL.md")
        .map(String::as_str)
        .unwrap_or_default();
    let mut report = |line: usize, message: String| {
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
        report(
            1,
            format!("the front matter must say `name: {name}`, as the folder does"),
        );
    }
    match field("description").map(|it| it.chars().count()) {
        None => report(1, "the front matter has no description".to_owned()),
        Some(count) if count > MAX_DESCRIPTION => report(
            1,
            format!(
                "the description has {count} characters; at most {MAX_DESCRIPTION} are allowed"
            ),
        ),
        Some(_) => {}
    }
    let lines = first.lines().count();
    if lines > MAX_LINES {
        report(
            MAX_LINES,
            format!(
                "has {lines} lines; at most {MAX_LINES} are allowed, because an agent loads all of them"
            ),
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
                    "there is no manifest for this program",
                ));
            }
            if program.prints.is_empty() {
                problems.push(Problem::at(
                    &file,
                    program.line,
                    "there is no output below this program",
                ));
            }
        }
    }
    problems
}

/// Links of a file to a missing file of the skill, or to a missing heading.
fn links(file: &str, name: &str, text: &str, files: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (event, range) in new_cmark_parser(text, &MarkdownOptions::default()).into_offset_iter() {
        let Event::Start(Tag::Link { dest_url, .. }) = event else {
            continue;
        };
        let Target::Inside { file: to, fragment } = target(name, &dest_url) else {
            continue;
        };
        let exists = files
            .get(&to)
            .is_some_and(|text| fragment.is_empty() || headings(text).contains(&fragment));
        if !exists {
            let line = text[..range.start].matches('\n').count() + 1;
            let message = format!("broken link {dest_url}");
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
                ids.extend(heading.take().map(|it| heading_id(&it)));
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
    use scratch::rows;

    const SOUND: &str = "---\nname: rust-async-patterns\ndescription: D.\n---\n\n# S\n\nSee [a](references/a.md#b-c).\n";
    const REFERENCE: &str = "# A\n\n```toml\n[dependencies]\n```\n\n## B `c`\n\n```rust\nfn main() {}\n```\n\nPrints:\n\n```text\nx\n```\n";

    fn skill(first: &str, reference: &str) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("SKILL.md".to_owned(), first.to_owned()),
            ("references/a.md".to_owned(), reference.to_owned()),
        ])
    }

    fn problems(first: &str, reference: &str) -> Vec<String> {
        let problems = super::problems(&skill(first, reference));
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_skill_has_no_problem() {
        assert_eq!(problems(SOUND, REFERENCE), [""; 0]);
    }

    #[test]
    fn each_problem_is_reported_with_its_line() {
        for [old, new, expected] in rows(include_str!("broken.txt")) {
            let new = new.replace("(long)", &"D".repeat(1025));
            let new = new.replace("(tall)", &"x\n".repeat(500));
            let found = problems(&SOUND.replace(&old, &new), &REFERENCE.replace(&old, &new));
            let found = found.first().map(String::as_str);
            assert_eq!(found, Some(&*format!("{FOLDER}/{expected}")));
        }
    }

    #[test]
    fn out_of_date_files_are_reported() {
        let made = skill(SOUND, REFERENCE);
        assert!(stale(&made, &made).is_empty());
        let mut other = skill(SOUND, &REFERENCE.replace("fn main() {}", "fn main() { }"));
        other.insert("references/old.md".to_owned(), String::new());
        other.remove("SKILL.md");
        let problems = stale(&made, &other);
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "skills/rust-async-patterns/SKILL.md: is missing; `cargo book skill` writes it",
                "skills/rust-async-patterns/references/a.md:10: is out of date with the pages and listings; `cargo book skill` updates it",
                "skills/rust-async-patterns/references/old.md: no longer belongs to any page; `cargo book skill` removes it",
            ]
        );
    }

    #[test]
    fn the_blocks_are_a_manifest_and_programs_with_outputs() {
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
