//! The picture of a run: a lane for each task, and time from left to right.
//!
//! Places are percentages, so that a picture fits every width with letters of the same size. Virtual time
//! passes only while everything waits: a moment at which tasks run has a column for each poll, in their
//! order, and the time between two moments is drawn to scale. A wait that is far longer than the others is
//! compressed, and marked.

mod lanes;
mod names;
mod scale;
mod svg;
mod words;

use crate::Timeline;
use lanes::Course;
use scale::Scale;

/// A run that is to be drawn.
pub struct Run<'a> {
    /// What it is called in the picture's title: `tasks/join_set`.
    pub name: &'a str,
    /// The recording.
    pub timeline: &'a Timeline,
    /// The number of a line in the program that a page shows, of its number in the listing's file. They
    /// differ, for the page leaves out the anchors.
    pub shown_line: &'a dyn Fn(u32) -> u32,
}

/// A drawn run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The picture, with its title and description; no line of it is blank.
    pub svg: String,
    /// What is printed, by the numbers that the picture has: an HTML item each.
    pub printed: Vec<String>,
    /// The course in words: an HTML item each, in order. `data-x` is its place in the picture (percent),
    /// `data-t` its lane, `data-l` the lines of the shown program where that task then was.
    pub words: Vec<String>,
    /// Whether a long wait is compressed.
    pub compressed: bool,
}

/// A picture that takes more than this, in bytes, is refused.
pub const LARGEST: usize = 15_000;

/// Draws runs, one above the other on one scale.
///
/// # Errors
///
/// A run is too large for a picture; the message tells how, and what to do.
pub fn draw(runs: &[Run<'_>]) -> Result<Vec<Picture>, String> {
    let mut courses = Vec::new();
    for run in runs {
        let course = Course::of(run.timeline).map_err(|why| format!("{}: {why}", run.name))?;
        courses.push(course);
    }
    let scale = Scale::of(&mut courses)?;
    let mut pictures = Vec::new();
    for (run, course) in runs.iter().zip(&courses) {
        let svg = svg::draw(run, course, &scale);
        if svg.len() > LARGEST {
            return Err(format!(
                "{}: its picture takes {} bytes, more than the {LARGEST} that a reader could still make out; \
                 let the listing do less",
                run.name,
                svg.len()
            ));
        }
        pictures.push(Picture {
            svg,
            printed: words::printed(run, course),
            words: words::steps(run, course, &scale),
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
