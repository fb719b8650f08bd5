//! The whole book as a single page, which Chromium prints.
//!
//! mdBook's own print page shows hidden lines and has the theme around it, but no table of contents. This one is made
//! from the same trees as the EPUB.

use crate::book::{Book, Page, RIGHTS};
use crate::links::{self, Target};
use crate::tree::{self, Element, change_each, escape};
use anyhow::{Context, Result};
use std::fs;

/// Its style sheet.
pub const STYLE: &str = include_str!("../style/print.css");

/// Highlights the code, if the site has highlight.js.
const COLOR: &str = "for (const language of ['rust', 'toml']) { \
    document.querySelectorAll(`pre > code.language-${language}`).forEach((code) => { \
    code.innerHTML = hljs.highlight(code.textContent, { language, ignoreIllegals: true }).value; }); }";

/// The page.
///
/// Fails if the site's folder cannot be read.
pub fn page(book: &Book) -> Result<String> {
    let mut chapters = String::new();
    for page in &book.pages {
        chapters.push_str(&chapter(book, page));
    }
    let scripts = match highlighter(book)? {
        Some(address) => format!("<script src=\"{address}\"></script>\n<script>{COLOR}</script>\n"),
        None => String::new(),
    };
    Ok(format!(
        include_str!("../style/print.html"),
        language = escape(&book.language),
        title = escape(&book.title),
        front = title_page(book),
        contents = book.list(&book.contents, &|page| (
            format!("#{}", prefix(page)),
            Vec::new()
        )),
        style = STYLE,
        chapters = chapters,
        scripts = scripts,
    ))
}

fn title_page(book: &Book) -> String {
    let authors: String = book
        .authors
        .iter()
        .map(|author| format!("<p>{}</p>\n", escape(author)))
        .collect();
    format!(
        "<header>\n<p class=\"book-title\">{}</p>\n<p>{}</p>\n{authors}<p class=\"edition\">Verified with {}.<br/>{}<br/>{RIGHTS}</p>\n\
         </header>\n",
        escape(&book.title),
        escape(&book.description),
        escape(&book.edition),
        book.day()
    )
}

/// The prefix of a page's ids, so that no two pages share an id. The prefix itself is the id of the page.
fn prefix(page: &Page) -> String {
    page.file("").trim_end_matches('.').replace('/', "-")
}

fn chapter(book: &Book, page: &Page) -> String {
    let mut text = page.text().to_vec();
    change_each(&mut text, &mut |element| in_one_page(book, page, element));
    format!(
        "<section class=\"chapter\" id=\"{}\">\n{}</section>\n",
        prefix(page),
        tree::to_xhtml(&text)
    )
}

/// Adds the prefix to an element's id, and to the ids that it refers to.
fn in_one_page(book: &Book, page: &Page, element: &mut Element) {
    let prefixed = |id: &str| format!("{}--{id}", prefix(page));
    if let Some(to) = element.attribute("href").map(str::to_owned) {
        let to = match links::target(&page.html, &to) {
            Target::Outside => Some(to),
            Target::Inside { file, fragment } => match (book.page(&file), fragment.as_str()) {
                (Some(other), "") => Some(format!("#{}", prefix(other))),
                (Some(other), fragment) => Some(format!("#{}--{fragment}", prefix(other))),
                // Not a page of the book: only the text remains.
                (None, _) => None,
            },
        };
        links::set_href(element, to);
    }
    for (name, value) in &mut element.attributes {
        match name.as_str() {
            "id" => *value = prefixed(value),
            "aria-labelledby" | "aria-describedby" => {
                let ids: Vec<_> = value.split_whitespace().map(prefixed).collect();
                *value = ids.join(" ");
            }
            "src" => {
                if let Target::Inside { file, .. } = links::target(&page.html, value)
                    && let Some(address) = links::file_url(&book.site.join(file))
                {
                    *value = address;
                }
            }
            _ => {
                if let Some(id) = value.strip_prefix("url(#") {
                    *value = format!("url(#{}", prefixed(id));
                }
            }
        }
    }
}

/// The address of the site's highlight.js.
fn highlighter(book: &Book) -> Result<Option<String>> {
    let entries = fs::read_dir(&book.site).context("cannot read the site's folder")?;
    let mut scripts = entries.flatten().filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("highlight") && name.ends_with(".js")
    });
    let script = scripts.next();
    Ok(script.and_then(|script| links::file_url(&script.path())))
}
