//! The parts of a page that the skill takes.

use super::Part;
use crate::book::Page;
use crate::links::{Target, target};
use crate::markdown::{collapse_empty_lines, with_changes};
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use model::ids::heading_id;
use std::ops::Range;

/// The heading above a page's links to other pages.
pub(super) const SEE_ALSO: &str = "See also";

/// How the header starts of the tables that link to pages; an agent has the list of references instead.
const LINK_TABLE: &str = "| You ask |";

/// A column of the tables of measurements, which depend on the machine.
const MEASURED: &str = "| Ratio |";

/// A page's Markdown, with links to the skill's own files. Links to documentation, and to pages that aren't in the
/// skill, become plain text.
pub(super) fn local_markdown(page: &Page, parts: &[Part<'_>]) -> String {
    let text = page.markdown();
    let mut changes = Vec::new();
    let mut open: Option<(Range<usize>, usize)> = None;
    let mut dest = String::new();
    for (event, range) in new_cmark_parser(text, &MarkdownOptions::default()).into_offset_iter() {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                dest = dest_url.to_string();
                open = Some((range, 0));
            }
            Event::End(TagEnd::Link) => {
                if let Some((range, end)) = open.take() {
                    let inside = &text[range.start + 1..end.max(range.start + 1)];
                    let link = address_in_skill(page, parts, &dest);
                    let link = link.map(|to| format!("[{inside}]({to})"));
                    changes.push((range, link.unwrap_or_else(|| inside.to_owned())));
                }
            }
            _ => {
                if let Some((_, end)) = &mut open {
                    *end = (*end).max(range.end);
                }
            }
        }
    }
    let out = with_changes(text, changes);
    let is_definition = |line: &&str| line.starts_with('[') && line.contains("]: <");
    let lines = out.lines().filter(|line| !is_definition(line));
    let lines = lines.filter(|line| !line.starts_with("Verified with "));
    let mut result = String::new();
    for line in lines {
        // Only mdBook understands an id in a heading.
        let named = line.starts_with('#').then(|| line.split_once(" { #"));
        result.push_str(named.flatten().map_or(line, |(heading, _)| heading));
        result.push('\n');
    }
    collapse_empty_lines(&result)
}

/// The address of a link in the skill: the file of the page's part, and the page's heading there.
fn address_in_skill(from: &Page, parts: &[Part<'_>], to: &str) -> Option<String> {
    let Target::Inside { file, .. } = target(&from.html, to) else {
        let is_documentation = to.contains("://docs.rs/") || to.contains("://doc.rust-lang.org/");
        return (!is_documentation).then(|| to.to_owned());
    };
    let html = file.replace(".md", ".html");
    let part = parts
        .iter()
        .find(|part| part.pages.iter().any(|page| page.html == html))?;
    let page = part.pages.iter().find(|page| page.html == html)?;
    Some(format!("{}#{}", part.file(), heading_id(&page.heading())))
}

/// The blocks of a text between empty lines. A block of code is a single block, even with empty lines in it.
pub(super) fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    let mut blocks = Vec::new();
    let (mut start, mut at) = (0, 0);
    let mut fenced = false;
    for line in text.split_inclusive('\n') {
        fenced ^= line.starts_with("```");
        if line.trim().is_empty() && !fenced {
            blocks.push(text[start..at].trim());
            start = at;
        }
        at += line.len();
    }
    blocks.push(text[start..].trim());
    blocks.into_iter().filter(|block| !block.is_empty())
}

/// The tables of a page with the headings above them, except for tables of links and of measurements.
pub(super) fn choices(text: &str) -> Vec<String> {
    let mut tables = Vec::new();
    let mut heading = "";
    for block in paragraphs(text) {
        if let Some(it) = block.strip_prefix('#') {
            heading = it.trim_start_matches('#').trim();
        } else if block.starts_with('|')
            && !block.starts_with(LINK_TABLE)
            && !block.contains(MEASURED)
        {
            let colon = if heading.ends_with('?') { "" } else { ":" };
            tables.push(format!("{heading}{colon}\n\n{block}"));
        }
    }
    tables
}

/// A page below its title, with its headings one level lower. Without the links to other pages, and without the
/// manifest, which is at the top of the file.
pub(super) fn below(text: &str) -> String {
    let mut out = String::new();
    let mut sections: Vec<String> = Vec::new();
    let mut fenced = false;
    for line in text.lines().skip(1) {
        fenced ^= line.starts_with("```");
        if line.starts_with('#') && !fenced {
            sections.push(format!("#{line}\n"));
            continue;
        }
        match sections.last_mut() {
            Some(section) => {
                section.push_str(line);
                section.push('\n');
            }
            None => sections.push(format!("{line}\n")),
        }
    }
    for section in sections {
        let is_excluded = section.contains(LINK_TABLE)
            || section.contains("\n```toml")
            || section.lines().next() == Some(&format!("### {SEE_ALSO}"));
        if !is_excluded {
            out.push_str(&section);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_code_is_one_paragraph_and_no_heading() {
        let text = "# A\n\n```rust\n#[a]\n\nfn b() {}\n```\n\n| c |\n|---|\n";
        let blocks: Vec<_> = paragraphs(text).collect();
        assert_eq!(
            blocks,
            ["# A", "```rust\n#[a]\n\nfn b() {}\n```", "| c |\n|---|"]
        );
        assert_eq!(choices(text), ["A:\n\n| c |\n|---|"]);
    }

    #[test]
    fn tables_of_links_and_of_measurements_are_excluded() {
        let text =
            "# A\n\n| You ask | Answer |\n|---|---|\n\n| Way | Ratio | Rounds |\n|---|---|---|\n";
        assert!(choices(text).is_empty());
    }
}
