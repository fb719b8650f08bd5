//! What must be true of the pages, the listings, and the built site.
//!
//! `tests/` runs each of these checks on the book, `tests/skeptic.rs` reads the programs out of the rendered pages with
//! [`blocks`], and `cargo book check` runs what concerns one page.

pub mod blocks;
pub mod checks;
pub mod disabled_tests;
pub mod hazards;
pub mod identifiers;
pub mod length;
pub mod links;
pub mod messages;
pub mod orphans;
pub mod outside;
pub mod page_text;
mod programs;
pub mod prose;
pub mod published;
pub mod since;
pub mod style;
pub mod tables;
pub mod weekly_coverage;

use model::problem::Problem;
use regex::Regex;
use render::site::Page;
use scraper::Selector;
use std::fs;
use std::path::Path;

/// The HTML of a page in the built site.
fn built_page(site: &Path, page: &Page) -> Result<String, Problem> {
    fs::read_to_string(site.join(&page.html))
        .map_err(|error| Problem::of(&page.html, format!("cannot read the built page: {error}")))
}

/// Where the lines of a text end, to turn byte offsets into line numbers.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line, counted from 1, of a byte offset.
    fn at(&self, offset: usize) -> usize {
        1 + self.0.partition_point(|end| *end < offset)
    }
}

/// The lines of a text that aren't empty, with their numbers from 1.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> + Clone {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
}

/// Compiles a pattern that is written in the source.
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern in the source is valid")
}

/// Parses a CSS selector that is written in the source.
fn selector(css: &str) -> Selector {
    Selector::parse(css).expect("a selector in the source is valid")
}

/// The problem that a failure below a folder is.
fn failed(folder: &str) -> impl Fn(anyhow::Error) -> Problem {
    move |error| Problem::of(folder, format!("{error:#}"))
}
