//! A page as Markdown for machines: what the directives stand for, in plain Markdown.
//!
//! It is made of the expanded page, as mdBook renders it. The author's own words stay as they are. The HTML
//! around programs, outputs and timelines becomes words, and the lines that a page hides are left out.

use crate::links::{Target, target};
use crate::tree::{self, Element, Node};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use std::ops::Range;

/// The expanded page without HTML and hidden lines.
pub fn plain(expanded: &str) -> String {
    let text = without_pictures(expanded);
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    let mut is_rust = false;
    let parser = new_cmark_parser(&text, &MarkdownOptions::default());
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::HtmlBlock) => {
                let markdown = of_html(&text[range.clone()]);
                changes.push((range, markdown));
            }
            // The words between the tags stay.
            Event::InlineHtml(tag) => {
                let space = if tag.starts_with("<br") { " " } else { "" };
                changes.push((range, space.to_owned()));
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                is_rust = info.starts_with("rust");
            }
            Event::End(TagEnd::CodeBlock) => is_rust = false,
            Event::Text(code) if is_rust => changes.push((range, shown(&code))),
            _ => {}
        }
    }
    let mut markdown = String::new();
    let mut copied = 0;
    for (range, change) in changes {
        markdown.push_str(&text[copied..range.start]);
        markdown.push_str(&change);
        copied = range.end;
    }
    markdown.push_str(&text[copied..]);
    without_gaps(&markdown)
}

/// The page without its drawn pictures, whose words stand beside them. They could have empty lines in them,
/// which would end the HTML for a reader of Markdown.
fn without_pictures(page: &str) -> String {
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

/// The shown lines of a block, as mdBook tells them from the hidden ones; see `hide_lines.rs` of mdbook-html.
fn shown(code: &str) -> String {
    let mut shown = String::new();
    for line in code.split_inclusive('\n') {
        let indented = line.trim_start_matches([' ', '\t']);
        let Some(rest) = indented.strip_prefix('#') else {
            shown.push_str(line);
            continue;
        };
        if rest.trim_end_matches('\n').is_empty() || rest.starts_with(' ') {
            continue;
        }
        shown.push_str(&line[..line.len() - indented.len()]);
        // Two of them stand for one that is meant.
        shown.push_str(if rest.starts_with('#') {
            rest
        } else {
            indented
        });
    }
    shown
}

/// At most one empty line after another, but for those inside of code, and one line end at the end.
pub(crate) fn without_gaps(markdown: &str) -> String {
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

/// A piece of HTML between two empty lines.
fn of_html(html: &str) -> String {
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

/// The caption of a figure: what it shows, then its file and its command.
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

/// What stands in a title, all of which is emphasized.
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

/// A link to a page as a link to its Markdown.
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

/// Text in which nothing is taken for Markdown. Line ends are spaces.
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

    #[test]
    fn a_listing_is_its_caption_and_the_shown_lines() {
        let page = "A:\n\n<figure class=\"listing wrong\" id=\"x\" data-listing=\"a/x\">\n\
            <figcaption><span class=\"caption\"><strong class=\"verdict\">Wrong:</strong> use <code>a_b</code>.</span> \
            <span class=\"where\"><code>listings/a/src/bin/x.rs</code> <code class=\"command\">cargo run --bin x</code></span></figcaption>\n\n\
            ```rust\n# use x;\n# \nfn main() {\n\n\n    ## a\n    #[b]\n}\n```\n\n</figure>\n\nB.\n";
        assert_eq!(
            plain(page),
            "A:\n\n**Wrong: use `a_b`.** `listings/a/src/bin/x.rs`, `cargo run --bin x`\n\n\
             ```rust\nfn main() {\n\n\n    # a\n    #[b]\n}\n```\n\nB.\n"
        );
    }

    #[test]
    fn an_output_and_a_message_are_as_they_were_printed() {
        let page = "<figure class=\"output\">\n<figcaption><span>Output</span> <span class=\"where\">\
            <code class=\"command\">cargo run --bin x</code></span></figcaption>\n\n```text\n# one\n  <b> *\n```\n\n</figure>\n\n\
            ```text\nx\n```\n\n<p class=\"says\">What the compiler says:</p>\n\n````text\n# ```\n````\n";
        assert_eq!(
            plain(page),
            "**Output** `cargo run --bin x`\n\n```text\n# one\n  <b> *\n```\n\n```text\nx\n```\n\n\
             What the compiler says:\n\n````text\n# ```\n````\n"
        );
    }

    #[test]
    fn a_timeline_is_told_in_words() {
        let page = "<figure class=\"timeline\">\n<figcaption><span class=\"caption\">How it moves</span> \
            <span class=\"where\"><a href=\"../timelines.md\">How to read this</a></span></figcaption>\n\
            <div class=\"run-of\">\n<svg class=\"course\"><title>a</title>\n\n<rect/>\n</svg>\n<div class=\"stepper\"></div>\n\
            <p class=\"prints\">Prints 1: <samp>a</samp>.</p>\n<details><summary>In words</summary>\n<ol>\n\
            <li data-x=\"0 1\"><b>main</b> waits for fetch_all*.</li>\n<li>It\nends.</li>\n</ol>\n</details>\n</div>\n</figure>\n\nAfter.\n";
        assert_eq!(
            plain(page),
            "**How it moves** [How to read this](../timelines.md)\n\nPrints 1: `a`.\n\nIn words\n\n\
             1. **main** waits for fetch_all\\*.\n2. It ends.\n\nAfter.\n"
        );
    }

    #[test]
    fn the_authors_words_stay() {
        let page = "# T\n\nSee [a](b.md#c) and [`D`], *e* __f__.\n\n| a | b |\n|---|---|\n| `c` | d |\n\n- x\n  - y\n\n[`D`]: <https://e>\n";
        assert_eq!(plain(page), page);
    }

    #[test]
    fn tags_among_the_authors_words_go() {
        assert_eq!(plain("a<br>b <kbd>c</kbd> `<d>`\n"), "a b c `<d>`\n");
    }

    #[test]
    fn links_in_html_lead_to_markdown() {
        let page = "<p class=\"verified\"><a href=\"../verified.html#a\">Verified</a> with <a href=\"https://x/y.html\">it</a>.</p>\n";
        assert_eq!(
            plain(page),
            "[Verified](../verified.md#a) with [it](https://x/y.html).\n"
        );
    }
}
