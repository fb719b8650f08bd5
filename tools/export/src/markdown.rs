//! A page as plain Markdown for language models.
//!
//! It is made from the page with its directives expanded. The author's Markdown stays as it is; the HTML around
//! programs, outputs, and timelines becomes text, and hidden lines are left out.

use crate::links::{Target, target};
use crate::tree::{self, Element, Node};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use std::ops::Range;

/// The expanded page without HTML and hidden lines.
pub fn plain(expanded: &str) -> String {
    let text = without_svg(expanded);
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    let mut is_rust = false;
    let parser = new_cmark_parser(&text, &MarkdownOptions::default());
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::HtmlBlock) => {
                let markdown = from_html(&text[range.clone()]);
                changes.push((range, markdown));
            }
            // The text between the tags stays.
            Event::InlineHtml(tag) => {
                let space = if tag.starts_with("<br") { " " } else { "" };
                changes.push((range, space.to_owned()));
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                is_rust = info.starts_with("rust");
            }
            Event::End(TagEnd::CodeBlock) => is_rust = false,
            Event::Text(code) if is_rust => changes.push((range, visible_lines(&code))),
            _ => {}
        }
    }
    collapse_empty_lines(&with_changes(&text, changes))
}

/// A text with the texts at some places replaced, in the order of the places.
pub(crate) fn with_changes(text: &str, changes: Vec<(Range<usize>, String)>) -> String {
    let mut result = String::new();
    let mut copied = 0;
    for (range, change) in changes {
        result.push_str(&text[copied..range.start]);
        result.push_str(&change);
        copied = range.end;
    }
    result + &text[copied..]
}

/// The page without its SVG pictures: the figures describe them in words. An empty line in a picture would end the
/// block of HTML.
fn without_svg(page: &str) -> String {
    let (start, end) = ("\n<svg", "</svg>");
    let mut text = String::new();
    let mut rest = page;
    while let Some((before, picture)) = rest.split_once(start) {
        text.push_str(before);
        text.push('\n');
        rest = picture.split_once(end).map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text
}

/// The lines of a block that mdBook doesn't hide; see `hide_lines.rs` of mdbook-html.
fn visible_lines(code: &str) -> String {
    let mut visible = String::new();
    for line in code.split_inclusive('\n') {
        let indented = line.trim_start_matches([' ', '\t']);
        let Some(rest) = indented.strip_prefix('#') else {
            visible.push_str(line);
            continue;
        };
        if rest.trim_end_matches('\n').is_empty() || rest.starts_with(' ') {
            continue;
        }
        visible.push_str(&line[..line.len() - indented.len()]);
        // `##` is an escaped `#`.
        visible.push_str(if rest.starts_with('#') {
            rest
        } else {
            indented
        });
    }
    visible
}

/// Collapses consecutive empty lines outside of code blocks, and ends the text with one newline.
pub(crate) fn collapse_empty_lines(markdown: &str) -> String {
    let mut text = String::new();
    let mut fence: Option<String> = None;
    for line in markdown.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if line.trim_end() == open => fence = None,
            None if ticks.len() >= 3 => fence = Some(ticks),
            _ => {}
        }
        if fence.is_none() && line.trim().is_empty() && text.ends_with("\n\n") {
            continue;
        }
        text.push_str(line);
        text.push('\n');
    }
    format!("{}\n", text.trim())
}

/// A block of HTML as Markdown, between two empty lines.
fn from_html(html: &str) -> String {
    let mut markdown = String::from("\n");
    blocks(&tree::of_fragment(html), &mut markdown);
    markdown.push('\n');
    markdown
}

fn blocks(nodes: &[Node], to: &mut String) {
    for node in nodes {
        let Node::Element(element) = node else {
            let text = inline(std::slice::from_ref(node));
            to.push_str(text.trim());
            continue;
        };
        match element.name.as_str() {
            "figcaption" => paragraph(&caption(element), to),
            "p" | "summary" => paragraph(&inline(&element.children), to),
            "ol" | "ul" => items(element, to),
            "svg" => {}
            "a" | "b" | "strong" | "em" | "i" | "code" | "kbd" | "samp" | "span" => {
                to.push_str(&inline(std::slice::from_ref(node)));
            }
            _ => blocks(&element.children, to),
        }
    }
}

fn paragraph(text: &str, to: &mut String) {
    let text = text.trim();
    if !text.is_empty() {
        to.push_str(text);
        to.push_str("\n\n");
    }
}

fn items(list: &Element, to: &mut String) {
    let is_item = |node: &&Node| matches!(node, Node::Element(element) if element.name == "li");
    for (index, item) in list.children.iter().filter(is_item).enumerate() {
        let mark = match list.name.as_str() {
            "ol" => format!("{}. ", index + 1),
            _ => "- ".to_owned(),
        };
        let text = inline(std::slice::from_ref(item));
        to.push_str(&format!("{mark}{}\n", text.trim()));
    }
    to.push('\n');
}

/// The caption of a figure: its title, then its file and its command.
fn caption(of: &Element) -> String {
    let mut title = String::new();
    let mut places = Vec::new();
    for child in &of.children {
        match child {
            Node::Element(element) if element.has_class("where") => {
                let pieces = element.children.iter();
                let pieces = pieces.map(|piece| inline(std::slice::from_ref(piece)));
                places.extend(pieces.map(|piece| piece.trim().to_owned()));
            }
            child => title.push_str(&unemphasized(child)),
        }
    }
    places.retain(|place| !place.is_empty());
    format!("**{}** {}", title.trim(), places.join(", "))
}

/// A part of a title, which is emphasized as a whole.
fn unemphasized(node: &Node) -> String {
    match node {
        Node::Element(element) if element.name != "code" => {
            element.children.iter().map(unemphasized).collect()
        }
        node => inline(std::slice::from_ref(node)),
    }
}

fn inline(nodes: &[Node]) -> String {
    let mut markdown = String::new();
    for node in nodes {
        let element = match node {
            Node::Text(text) => {
                markdown.push_str(&escape(text));
                continue;
            }
            Node::Element(element) => element,
        };
        let inside = || inline(&element.children);
        match element.name.as_str() {
            "code" | "kbd" | "samp" => markdown.push_str(&code(&element.text())),
            "b" | "strong" => markdown.push_str(&format!("**{}**", inside())),
            "i" | "em" => markdown.push_str(&format!("*{}*", inside())),
            "a" => match element.attribute("href") {
                Some(to) => markdown.push_str(&format!("[{}]({})", inside(), to_markdown(to))),
                None => markdown.push_str(&inside()),
            },
            "br" => markdown.push(' '),
            _ => markdown.push_str(&inside()),
        }
    }
    markdown
}

/// The address of a page's Markdown, for a link to the page.
fn to_markdown(to: &str) -> String {
    let (path, fragment) = match to.split_once('#') {
        Some((path, fragment)) => (path, format!("#{fragment}")),
        None => (to, String::new()),
    };
    match path.strip_suffix(".html") {
        Some(stem) if target("", to) != Target::Outside => format!("{stem}.md{fragment}"),
        _ => to.to_owned(),
    }
}

fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    match longest {
        0 => format!("{ticks}{text}{ticks}"),
        _ => format!("{ticks} {text} {ticks}"),
    }
}

/// Escapes text for Markdown. Newlines become spaces.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let in_word = |c: char| c.is_alphanumeric();
        let is_mark = match c {
            '*' | '`' | '<' | '[' | ']' | '\\' => true,
            '_' => !(in_word(before) && characters.peek().copied().is_some_and(in_word)),
            _ => false,
        };
        if is_mark {
            escaped.push('\\');
        }
        escaped.push(if c == '\n' { ' ' } else { c });
        before = c;
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::cases;

    #[test]
    fn each_page_becomes_plain_markdown() {
        for case in cases(include_str!("markdown/cases.txt")) {
            let markdown = plain(case.get("page"));
            assert_eq!(markdown, case.get("markdown"), "{}", case.name);
        }
    }
}
