//! Reads the programs back out of the rendered pages: what is verified is what a reader gets.

use scraper::{ElementRef, Html, Selector};

/// A block of Rust on a rendered page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RustBlock {
    /// The whole program, the hidden lines among the shown ones, as mdBook rendered it.
    pub program: String,
    /// Where it comes from; `None` where no directive put it there.
    pub origin: Option<Origin>,
}

/// Which program a block shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A listing (`part/name`): it compiles and runs.
    Listing(String),
    /// A program (`part/name`) that must not compile.
    CompileFail(String),
    /// A program (`part/name`) that needs `--cfg tokio_unstable`.
    Unstable(String),
}

/// The Rust blocks of a rendered page, in the order in which they stand there.
///
/// # Panics
///
/// Never: the selector is a constant, and a test parses it.
pub fn rust_blocks(html: &str) -> Vec<RustBlock> {
    let page = Html::parse_document(html);
    let selector = Selector::parse("main code").expect("a constant selector");
    let blocks = page.select(&selector).filter(|code| {
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
            origin: origin(code),
        })
        .collect()
}

fn origin(code: ElementRef<'_>) -> Option<Origin> {
    let figure = code
        .ancestors()
        .filter_map(ElementRef::wrap)
        .find(|element| element.value().name() == "figure")?
        .value();
    let named = |kind: &str| figure.attr(kind).map(str::to_owned);
    let listing = named("data-listing").map(Origin::Listing);
    let compile_fail = named("data-compile-fail").map(Origin::CompileFail);
    let unstable = named("data-unstable").map(Origin::Unstable);
    listing.or(compile_fail).or(unstable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_lines_are_part_of_the_program() {
        let html = "<main><figure data-listing=\"tasks/a\"><pre><code class=\"language-rust\"><span class=\"boring\">use x;\n\
                    </span>fn main() { a &lt; b }\n</code></pre></figure></main>";
        let blocks = rust_blocks(html);
        assert_eq!(blocks.len(), 1);
        assert_eq!(blocks[0].program, "use x;\nfn main() { a < b }\n");
        assert_eq!(blocks[0].origin, Some(Origin::Listing("tasks/a".into())));
    }

    #[test]
    fn spans_and_other_languages_do_not_count() {
        let html = "<main><code class=\"language-rust\">a</code><pre><code class=\"language-text\">b</code></pre></main>";
        assert!(rust_blocks(html).is_empty());
    }

    #[test]
    fn a_block_that_no_directive_made_has_no_origin() {
        let html = "<main><pre><code class=\"language-rust ignore\">a</code></pre></main>";
        assert_eq!(rust_blocks(html)[0].origin, None);
    }
}
