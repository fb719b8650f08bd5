//! Checks the skill: its format, its sizes, its links, and that its templates have no code of their own.

use super::{COMMAND, FOLDER};
use crate::links::{Target, target};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use model::Problem;
use model::ids::heading_id;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// The longest description that the format allows, in characters.
const MAX_DESCRIPTION: usize = 1024;

/// The largest first file, in bytes: below 2,500 tokens, since an agent loads all of it. (Code and tables have a token for
/// each 3.5 bytes or so.)
const MAX_FIRST: usize = 8_700;

/// The largest reference, in bytes: below 4,000 tokens.
const MAX_REFERENCE: usize = 13_000;

/// The reference that has no limit: an agent needs a few lines of it.
const MANIFEST: &str = "references/manifest.md";

/// The fewest and the most rows of the table of mistakes.
const ROWS: RangeInclusive<usize> = 30..=40;

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
                format!("no longer belongs to any template; `{COMMAND}` removes it"),
            ),
            (Some(made), Some(found)) if made != found => {
                let same = made.lines().zip(found.lines()).take_while(|(a, b)| a == b);
                Problem::at(
                    file,
                    same.count() + 1,
                    format!(
                        "is out of date with its template or a listing; `{COMMAND}` updates it"
                    ),
                )
            }
            _ => continue,
        };
        problems.push(problem);
    }
    problems
}

/// Problems in the files of the skill: the format, the sizes, and broken links.
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
    let rows = first.lines().filter(|line| line.starts_with("| ")).count();
    // One is the header.
    if !ROWS.contains(&rows.saturating_sub(1)) {
        report(
            1,
            format!(
                "the table has {} rows; {} to {} are what an agent reads",
                rows.saturating_sub(1),
                ROWS.start(),
                ROWS.end()
            ),
        );
    }
    for (name, text) in files {
        let file = format!("{FOLDER}/{name}");
        problems.extend(links(&file, name, text, files));
        let most = match name.as_str() {
            "SKILL.md" => MAX_FIRST,
            MANIFEST => continue,
            _ => MAX_REFERENCE,
        };
        if text.len() > most {
            let message = format!(
                "has {} bytes; at most {most} are allowed, because an agent loads all of them",
                text.len()
            );
            problems.push(Problem::of(file, message));
        }
    }
    problems
}

/// The code in a template that comes from no listing: nothing compiles it.
pub fn own_code(file: &str, template: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (event, range) in new_cmark_parser(template, &MarkdownOptions::default()).into_offset_iter()
    {
        if let Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) = event
            && &*info != "toml"
            && &*info != "sh"
        {
            let line = template[..range.start].matches('\n').count() + 1;
            let message =
                "this code comes from no listing; show one by {{#listing part/name:anchor}}";
            problems.push(Problem::at(file, line, message));
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

    const FIRST: &str = "---\nname: tokio-hazards\ndescription: D.\n---\n\n# S\n\nSee [a](references/a.md#b-c).\n\n| a |\n|---|\n";
    const REFERENCE: &str = "# A\n\n## B `c`\n";

    fn sound() -> String {
        FIRST.to_owned() + &"| b |\n".repeat(30)
    }

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
        assert_eq!(problems(&sound(), REFERENCE), [""; 0]);
    }

    #[test]
    fn each_problem_is_reported_with_its_line() {
        for [old, new, expected] in rows(include_str!("broken.txt")) {
            let new = new.replace("(long)", &"D".repeat(1025));
            let new = new.replace("(tall)", &"x\n".repeat(7_000));
            let found = problems(&sound().replace(&old, &new), &REFERENCE.replace(&old, &new));
            let found = found.first().map(String::as_str);
            assert_eq!(found, Some(&*format!("{FOLDER}/{expected}")));
        }
    }

    #[test]
    fn out_of_date_files_are_reported() {
        let made = skill(&sound(), REFERENCE);
        assert!(stale(&made, &made).is_empty());
        let mut other = skill(&sound(), &REFERENCE.replace("c", "d"));
        other.insert("references/old.md".to_owned(), String::new());
        other.remove("SKILL.md");
        let problems = stale(&made, &other);
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "skills/tokio-hazards/SKILL.md: is missing; `cargo book skill` writes it",
                "skills/tokio-hazards/references/a.md:3: is out of date with its template or a listing; `cargo book skill` updates it",
                "skills/tokio-hazards/references/old.md: no longer belongs to any template; `cargo book skill` removes it",
            ]
        );
    }

    #[test]
    fn code_from_no_listing_is_reported() {
        let found = own_code("a.md", "# A\n\n```rust\nfn main() {}\n```\n");
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        let expected =
            "a.md:3: this code comes from no listing; show one by {{#listing part/name:anchor}}";
        assert_eq!(found, [expected]);
    }
}
