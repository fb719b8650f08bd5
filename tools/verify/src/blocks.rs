//! Reads the programs back out of the rendered pages, so that what is verified is what a reader gets.

use crate::selector;
use scraper::node::Element;
use scraper::{ElementRef, Html};

/// A block of Rust on a rendered page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RustBlock {
    /// The whole program, hidden lines included, as mdBook rendered it; or only the lines that are shown.
    pub program: String,
    /// Whether these are only the lines that are shown, because the program is long.
    pub is_excerpt: bool,
    /// Where it comes from; `None` if no directive put it there.
    pub origin: Option<Origin>,
}

/// The program that a block shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A listing (`part/name`): it compiles and runs.
    Listing(String),
    /// A program (`part/name`) that must not compile.
    CompileFail(String),
    /// A program (`part/name`) that needs `--cfg tokio_unstable`.
    Unstable(String),
    /// A file of a crate that isn't a part, or what an anchor in it holds (`crate/src/file.rs:anchor`): it doesn't compile alone.
    Source(String),
}

/// The Rust blocks of a rendered page, in order.
pub fn rust_blocks(html: &str) -> Vec<RustBlock> {
    let page = Html::parse_document(html);
    let code = selector("main code");
    let blocks = page.select(&code).filter(|code| {
        let is_block = code
            .parent()
            .and_then(ElementRef::wrap)
            .is_some_and(|e| e.value().name() == "pre");
        let is_rust = code.value().classes().any(|class| class == "language-rust");
        is_block && is_rust
    });
    blocks
        .map(|code| RustBlock {
            program: code.text().collect(),
            is_excerpt: figure(code).is_some_and(|figure| figure.attr("data-excerpt").is_some()),
            origin: origin(code),
        })
        .collect()
}

/// The figure around a block.
fn figure(code: ElementRef<'_>) -> Option<&Element> {
    let mut around = code.ancestors().filter_map(ElementRef::wrap);
    around
        .find(|element| element.value().name() == "figure")
        .map(|element| element.value())
}

fn origin(code: ElementRef<'_>) -> Option<Origin> {
    let figure = figure(code)?;
    let named = |kind: &str| figure.attr(kind).map(str::to_owned);
    let listing = named("data-listing").map(Origin::Listing);
    let compile_fail = named("data-compile-fail").map(Origin::CompileFail);
    let unstable = named("data-unstable").map(Origin::Unstable);
    let source = named("data-source").map(Origin::Source);
    listing.or(compile_fail).or(unstable).or(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_rust_are_read_whole_and_with_their_origin() {
        let html = "<main><figure data-listing=\"tasks/a\"><pre><code class=\"language-rust\"><span class=\"boring\">use x;\n\
                    </span>fn main() { a &lt; b }\n</code></pre></figure>\
                    <code class=\"language-rust\">a</code><pre><code class=\"language-text\">b</code></pre>\
                    <pre><code class=\"language-rust ignore\">c</code></pre></main>";
        let block = |program: &str, origin| RustBlock {
            program: program.to_owned(),
            is_excerpt: false,
            origin,
        };
        let listing = Origin::Listing("tasks/a".to_owned());
        assert_eq!(
            rust_blocks(html),
            [
                block("use x;\nfn main() { a < b }\n", Some(listing)),
                block("c", None),
            ]
        );
    }
}
