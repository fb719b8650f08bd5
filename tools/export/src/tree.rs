//! The content of a rendered page as a tree, without anything that only works in a browser, and as XHTML.

use scraper::{ElementRef, Html, Selector};

/// A node of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// An element with its children.
    Element(Element),
    /// Text, unescaped.
    Text(String),
}

/// An element of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its name, as in `<p>`.
    pub name: String,
    /// Whether it is an SVG element rather than an HTML one.
    pub is_svg: bool,
    /// Its attributes with their unescaped values.
    pub attributes: Vec<(String, String)>,
    /// Its children.
    pub children: Vec<Node>,
}

impl Element {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether it has a class.
    pub fn has_class(&self, class: &str) -> bool {
        let classes = self.attribute("class").unwrap_or_default();
        classes.split_whitespace().any(|it| it == class)
    }

    /// The text inside it.
    pub fn text(&self) -> String {
        text(&self.children)
    }
}

/// The text of these nodes.
pub fn text(nodes: &[Node]) -> String {
    let texts = nodes.iter().map(|node| match node {
        Node::Text(text) => text.clone(),
        Node::Element(element) => element.text(),
    });
    texts.collect()
}

/// The `<main>` element of a rendered page, as HTML.
pub fn main_of(html: &str) -> Option<&str> {
    const END: &str = "</main>";
    let start = html.find("<main")?;
    let end = html.rfind(END)?;
    html.get(start..end + END.len())
}

/// The content of a `<main>` element, without hidden lines, scripts, buttons, and forms.
pub fn parse_main(html: &str) -> Vec<Node> {
    let page = Html::parse_document(html);
    // A valid selector, and the document is nothing but this element.
    let main = Selector::parse("main").ok();
    let main = main.and_then(|main| page.select(&main).next());
    main.map(children).unwrap_or_default()
}

/// A piece of HTML, parsed like [`parse_main`] does.
pub fn of_fragment(html: &str) -> Vec<Node> {
    children(Html::parse_fragment(html).root_element())
}

/// Elements that only work in a browser.
const DROPPED: &[&str] = &[
    "base", "button", "embed", "form", "iframe", "input", "link", "meta", "noscript", "object",
    "script", "select", "style", "template", "textarea",
];

/// Hidden lines, the containers of buttons (those of a block, and those that step through a timeline), and a timeline's
/// steps, of which a summary is enough.
const DROPPED_CLASSES: &[&str] = &["boring", "buttons", "stepper", "tools", "words"];

/// Attributes that name the program behind a figure. All other `data-` attributes are for scripts.
const KEPT_DATA: &[&str] = &[
    "data-compile-fail",
    "data-listing",
    "data-source",
    "data-unstable",
    "data-manifest",
    "data-timeline",
];

fn children(of: ElementRef<'_>) -> Vec<Node> {
    let mut nodes = Vec::new();
    for child in of.children() {
        if let Some(text) = child.value().as_text() {
            nodes.push(Node::Text(text.to_string()));
        }
        if let Some(element) = ElementRef::wrap(child) {
            nodes.extend(converted(element));
        }
    }
    nodes
}

fn converted(of: ElementRef<'_>) -> Vec<Node> {
    let value = of.value();
    let name = value.name();
    if DROPPED.contains(&name) || value.classes().any(|it| DROPPED_CLASSES.contains(&it)) {
        return Vec::new();
    }
    // A link to itself, so that a reader can copy its address, is of no use in an e-book. In a heading it becomes
    // text; the other elements stay, because other links lead to their ids.
    let is_class = |class: &str| name == "a" && value.classes().any(|it| it == class);
    if is_class("header") {
        return children(of);
    }
    let is_self_link = is_class("row") || is_class("caption");
    let mut attributes: Vec<(String, String)> = value
        .attrs()
        .filter(|(name, _)| {
            is_kept(name) && !(is_self_link && ["href", "aria-label"].contains(name))
        })
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    // Open, because not every e-book reader can unfold it.
    if name == "details" && value.attr("open").is_none() {
        attributes.push(("open".to_owned(), "open".to_owned()));
    }
    vec![Node::Element(Element {
        name: if is_self_link { "span" } else { name }.to_owned(),
        is_svg: &*value.name.ns == SVG,
        attributes,
        children: children(of),
    })]
}

fn is_kept(name: &str) -> bool {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let is_data = name.starts_with("data-");
    is_name && name != "xmlns" && !name.starts_with("on") && (!is_data || KEPT_DATA.contains(&name))
}

/// Visits all elements, parents before their children.
pub fn each(nodes: &[Node], look: &mut impl FnMut(&Element)) {
    for node in nodes {
        if let Node::Element(element) = node {
            look(element);
            each(&element.children, look);
        }
    }
}

/// Changes all elements, parents before their children.
pub fn change_each(nodes: &mut [Node], change: &mut impl FnMut(&mut Element)) {
    for node in nodes {
        if let Node::Element(element) = node {
            change(element);
            change_each(&mut element.children, change);
        }
    }
}

const SVG: &str = "http://www.w3.org/2000/svg";

/// HTML's void elements, which have no end tag.
const EMPTY: &[&str] = &["area", "br", "col", "hr", "img", "source", "track", "wbr"];

/// The nodes as XHTML that is also valid HTML.
pub fn to_xhtml(nodes: &[Node]) -> String {
    let mut xhtml = String::new();
    write(nodes, false, &mut xhtml);
    xhtml
}

fn write(nodes: &[Node], in_svg: bool, to: &mut String) {
    for node in nodes {
        let element = match node {
            Node::Text(text) => {
                to.push_str(&escape(text));
                continue;
            }
            Node::Element(element) => element,
        };
        to.push('<');
        to.push_str(&element.name);
        if element.is_svg && !in_svg {
            to.push_str(" xmlns=\"");
            to.push_str(SVG);
            to.push('"');
        }
        for (name, value) in &element.attributes {
            to.push(' ');
            to.push_str(name);
            to.push_str("=\"");
            to.push_str(&escape(value));
            to.push('"');
        }
        let is_void = match element.is_svg {
            true => element.children.is_empty(),
            false => EMPTY.contains(&element.name.as_str()),
        };
        if is_void {
            to.push_str("/>");
            continue;
        }
        to.push('>');
        write(&element.children, element.is_svg, to);
        to.push_str("</");
        to.push_str(&element.name);
        to.push('>');
    }
}

/// Escapes text for XHTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars().map(allowed) {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The character, or the replacement character if XML doesn't allow it.
pub fn allowed(c: char) -> char {
    match c {
        '\t' | '\n' => c,
        '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::rows;

    fn xhtml(main: &str) -> String {
        let page = format!("<html><body><nav>x</nav><main>{main}</main></body></html>");
        to_xhtml(&parse_main(main_of(&page).expect("it has a main element")))
    }

    /// What works only in a browser is left out, and the rest is well-formed XML.
    #[test]
    fn each_element_becomes_xhtml() {
        for [html, expected] in rows(include_str!("tree/xhtml.txt")) {
            assert_eq!(xhtml(&html), expected);
        }
        assert_eq!(xhtml("<p>\u{1b}[1m"), "<p>\u{fffd}[1m</p>");
        assert_eq!(main_of("<html><body>x</body></html>"), None);
    }
}
