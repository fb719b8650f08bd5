//! `llms.txt`, which lists the pages for language models (see llmstxt.org), and `llms-full.txt`, which contains all of
//! them.

use crate::book::{Book, Item, Page};
use crate::links::{Target, target};
use crate::markdown::with_changes;
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use std::fmt::Write as _;

/// The file that lists the pages.
pub const LIST: &str = "llms.txt";

/// The file that contains all pages.
pub const ALL: &str = "llms-full.txt";

/// How the paragraph starts that summarizes a page.
const IN_SHORT: &str = "In short:";

/// The list of all pages, each with a summary.
pub fn list(book: &Book) -> String {
    let mut text = format!("# {}\n\n", book.title);
    if !book.description.is_empty() {
        let _ = write!(text, "> {}\n\n", book.description);
    }
    let _ = write!(
        text,
        "Verified with {}. Every program is in the book's repository, in the file that its caption names; its \
         caption also tells the command that runs it. Blocks of Rust show a part of it.\n\nAll pages in one file: \
         [{ALL}]({ALL})\n",
        book.edition
    );
    // The heading for the next pages that belong to no part.
    let mut heading = Some("Read first");
    for item in &book.contents {
        if item.page.is_none() {
            let _ = write!(text, "\n## {}\n\n", item.title);
            heading = Some("About this book");
            for item in &item.children {
                add_line(book, item, &mut text);
            }
            continue;
        }
        if let Some(heading) = heading.take() {
            let _ = write!(text, "\n## {heading}\n\n");
        }
        add_line(book, item, &mut text);
    }
    text
}

fn add_line(book: &Book, item: &Item, to: &mut String) {
    if let Some(page) = item.page.and_then(|index| book.pages.get(index)) {
        let _ = writeln!(
            to,
            "- [{}]({}): {}",
            item.title,
            page.file("md"),
            summary(&page.expanded)
        );
    }
    for child in &item.children {
        add_line(book, child, to);
    }
}

/// A page's paragraph "In short", or else its first paragraph, as plain text.
fn summary(page: &str) -> String {
    let mut paragraphs = Vec::new();
    let mut open: Option<String> = None;
    for (event, _) in new_cmark_parser(page, &MarkdownOptions::default()).into_offset_iter() {
        match (event, &mut open) {
            (Event::Start(Tag::Paragraph), _) => open = Some(String::new()),
            (Event::End(TagEnd::Paragraph), _) => paragraphs.extend(open.take()),
            (Event::Text(text) | Event::Code(text), Some(open)) => open.push_str(&text),
            (Event::SoftBreak | Event::HardBreak, Some(open)) => open.push(' '),
            _ => {}
        }
    }
    let in_short = paragraphs.iter().find_map(|it| it.strip_prefix(IN_SHORT));
    let first = paragraphs.first().map(String::as_str);
    in_short.or(first).unwrap_or_default().trim().to_owned()
}

/// The list of the pages, then all pages. Their links are relative to the site's root.
pub fn all(book: &Book, list: &str) -> String {
    let mut text = format!("{}\n", list.trim_end());
    for page in &book.pages {
        let _ = write!(
            text,
            "\n---\n\nPage: {}\n\n{}",
            page.file("md"),
            from_root(page)
        );
    }
    text
}

/// A page's Markdown, with its links relative to the site's root.
fn from_root(page: &Page) -> String {
    let text = page.markdown();
    let markdown = page.file("md");
    let mut changes = Vec::new();
    for (event, range) in new_cmark_parser(text, &MarkdownOptions::default()).into_offset_iter() {
        let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event else {
            continue;
        };
        let Target::Inside { file, fragment } = target(&markdown, &dest_url) else {
            continue;
        };
        let to = match fragment.as_str() {
            "" => file,
            fragment => format!("{file}#{fragment}"),
        };
        // The address comes last in a link. Links by reference, whose address is elsewhere, go to other sites.
        if let Some(at) = text[range.clone()].rfind(&*dest_url) {
            let start = range.start + at;
            changes.push((start..start + dest_url.len(), to));
        }
    }
    with_changes(text, changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_the_paragraph_in_short_or_the_first_one() {
        assert_eq!(
            summary("# T\n\nA `b`\nc.\n\n**In short:** use [`D`](e.md), *not* f.\n\nG.\n"),
            "use D, not f."
        );
        assert_eq!(summary("# T\n\nA `b`\nc.\n\nD.\n"), "A b c.");
    }

    #[test]
    fn links_are_relative_to_the_root() {
        let page = Page::new(
            "T".into(),
            "a/b.html".into(),
            "# T\n\n[c](c.md#d) [e](#f), [g](../h.md) [`I`] [j](https://c.md)\n\n[`I`]: <https://i>\n".into(),
            String::new(),
        );
        assert_eq!(
            from_root(&page),
            "# T\n\n[c](a/c.md#d) [e](a/b.md#f), [g](h.md) [`I`] [j](https://c.md)\n\n[`I`]: <https://i>\n"
        );
    }
}
