//! `llms.txt`, which tells machines what the book has (see llmstxt.org), and `llms-full.txt`, which is all
//! of it.

use crate::book::{Book, Item, Page};
use crate::links::{Target, target};
use crate::markdown;
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use std::fmt::Write as _;

/// The file that lists the pages.
pub const LIST: &str = "llms.txt";

/// The file that holds them all.
pub const ALL: &str = "llms-full.txt";

/// What leads to the answer of a page, in its first paragraphs.
const IN_SHORT: &str = "In short:";

/// The list of all pages, each with what it is about.
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
    // Under which heading pages stand that belong to no part.
    let mut heading = Some("Read first");
    for item in &book.contents {
        if item.page.is_none() {
            let _ = write!(text, "\n## {}\n\n", item.title);
            heading = Some("About this book");
            for item in &item.children {
                line(book, item, &mut text);
            }
            continue;
        }
        if let Some(heading) = heading.take() {
            let _ = write!(text, "\n## {heading}\n\n");
        }
        line(book, item, &mut text);
    }
    text
}

fn line(book: &Book, item: &Item, to: &mut String) {
    if let Some(page) = item.page.and_then(|index| book.pages.get(index)) {
        let _ = writeln!(
            to,
            "- [{}]({}): {}",
            item.title,
            page.file("md"),
            about(&page.expanded)
        );
    }
    for child in &item.children {
        line(book, child, to);
    }
}

/// What a page is about: its answer in short, or else its first paragraph, as plain text.
fn about(page: &str) -> String {
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

/// All pages, one after the other. Their links lead to their Markdown, from where this file is.
pub fn all(book: &Book) -> String {
    let mut text = format!("{}\n", list(book).trim_end());
    for page in &book.pages {
        let _ = write!(
            text,
            "\n---\n\nPage: {}\n\n{}",
            page.file("md"),
            rooted(page)
        );
    }
    text
}

/// A page's Markdown, with the links as they are written in the site's root.
fn rooted(page: &Page) -> String {
    let text = markdown::plain(&page.expanded);
    let markdown = page.file("md");
    let mut changes = Vec::new();
    for (event, range) in new_cmark_parser(&text, &MarkdownOptions::default()).into_offset_iter() {
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
        // The address is the last thing in a link. One that is defined elsewhere leads out of the book.
        if let Some(at) = text[range.clone()].rfind(&*dest_url) {
            let start = range.start + at;
            changes.push((start..start + dest_url.len(), to));
        }
    }
    let mut rooted = String::new();
    let mut copied = 0;
    for (range, to) in changes {
        rooted.push_str(&text[copied..range.start]);
        rooted.push_str(&to);
        copied = range.end;
    }
    rooted.push_str(&text[copied..]);
    rooted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_by_its_answer_or_by_its_beginning() {
        assert_eq!(
            about("# T\n\nA `b`\nc.\n\n**In short:** use [`D`](e.md), *not* f.\n\nG.\n"),
            "use D, not f."
        );
        assert_eq!(about("# T\n\nA `b`\nc.\n\nD.\n"), "A b c.");
    }

    #[test]
    fn links_lead_from_the_root() {
        let page = Page {
            title: "T".into(),
            html: "a/b.html".into(),
            expanded: "# T\n\n[c](c.md#d) [e](#f), [g](../h.md) [`I`] [j](https://c.md)\n\n[`I`]: <https://i>\n".into(),
            text: Vec::new(),
        };
        assert_eq!(
            rooted(&page),
            "# T\n\n[c](a/c.md#d) [e](a/b.md#f), [g](h.md) [`I`] [j](https://c.md)\n\n[`I`]: <https://i>\n"
        );
    }
}
