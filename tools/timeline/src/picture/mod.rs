//! The picture of a run: a lane for each task, and time from left to right.
//!
//! Places are percentages, so a picture fits every width with letters of the same size. Virtual time passes only
//! while every task waits: a moment at which tasks run has a column for each poll, in their order, and the time
//! between two moments is drawn to scale. A wait that is far longer than the others is compressed, and marked.

mod layout;
mod names;
mod scale;
mod svg;
mod words;

use crate::Timeline;
use layout::Layout;
use scale::Scale;

/// A run that is to be drawn.
pub struct Run<'a> {
    /// What it is called in the picture's title: `tasks/join_set`.
    pub name: &'a str,
    /// The recording.
    pub timeline: &'a Timeline,
    /// Converts the number of a line in the listing's file to its number on the page, which leaves out the anchors.
    pub shown_line: &'a dyn Fn(u32) -> u32,
}

/// A drawn run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The picture, with its title and description; no line of it is blank.
    pub svg: String,
    /// What is printed, by the numbers in the picture: the HTML of a list item each.
    pub printed: Vec<String>,
    /// The run in words: an HTML list item for each step. `data-x` is its place in the picture (percent), `data-t` its
    /// lane, `data-l` the lines of the program on the page at which the task was.
    pub words: Vec<String>,
    /// The run in a sentence (HTML), where there is no room for `words`.
    pub summary: String,
    /// Whether a long wait is compressed.
    pub compressed: bool,
}

/// A picture with more bytes than this is refused.
pub const MAX_SVG_BYTES: usize = 15_000;

/// Draws runs, one above the other on one scale.
///
/// # Errors
///
/// A run is too large for a picture; the message says why, and what to do.
pub fn draw(runs: &[Run<'_>]) -> Result<Vec<Picture>, String> {
    let mut layouts = Vec::new();
    for run in runs {
        layouts.push(Layout::of(run.timeline).map_err(|why| format!("{}: {why}", run.name))?);
    }
    let scale = Scale::of(&mut layouts)?;
    let mut pictures = Vec::new();
    for (run, layout) in runs.iter().zip(&layouts) {
        let svg = svg::draw(run, layout, &scale);
        if svg.len() > MAX_SVG_BYTES {
            return Err(format!(
                "{}: its picture takes {} bytes, more than the {MAX_SVG_BYTES} that a reader could still make out; \
                 let the listing do less",
                run.name,
                svg.len()
            ));
        }
        pictures.push(Picture {
            svg,
            printed: words::printed(run, layout),
            words: words::steps(run, layout, &scale),
            summary: words::summary(run, layout),
            compressed: scale.is_compressed(),
        });
    }
    Ok(pictures)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
