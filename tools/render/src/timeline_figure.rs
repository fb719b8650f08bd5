//! The figure of a timeline: the drawn run of a listing, or of two or more on one scale.

use crate::caption;
use model::source::Source;
use model::{ProgramId, Project, suggest};
use std::fmt::Write as _;
use timeline::Timeline;
use timeline::picture::{Picture, Run, draw};

/// The page that explains how to read a timeline, relative to src/.
pub const PAGE: &str = "timelines.md";

/// A listing that is to be drawn.
struct Recorded {
    name: ProgramId,
    caption: String,
    /// Of each line of the file, from the first, its number in the program that a page shows.
    shown_lines: Vec<u32>,
    timeline: Timeline,
}

/// The figure for the listings that a directive names. `page` is the page that it stands on, relative to
/// the book's root.
///
/// # Errors
///
/// A listing or its timeline is missing, or no picture can show it; the message says what to do.
pub fn figure(project: &Project, page: &str, names: &[ProgramId]) -> Result<String, String> {
    let mut all = Vec::new();
    for name in names {
        all.push(recorded(project, name.clone())?);
    }
    let names: Vec<_> = all.iter().map(|one| one.name.to_string()).collect();
    let shown = |one: &Recorded, line: u32| {
        let index = (line as usize).saturating_sub(1);
        one.shown_lines.get(index).copied().unwrap_or(line)
    };
    let closures: Vec<_> = all
        .iter()
        .map(|one| move |line: u32| shown(one, line))
        .collect();
    let runs: Vec<_> = all
        .iter()
        .zip(&names)
        .zip(&closures)
        .map(|((one, name), shown_line)| Run {
            name,
            timeline: &one.timeline,
            shown_line,
        })
        .collect();
    let pictures = draw(&runs)?;
    let id: Vec<_> = all.iter().map(|one| one.name.name.as_str()).collect();
    let mut html = format!(
        "<figure class=\"timeline\" id=\"timeline-{}\" data-timeline=\"{}\">\n{}\n",
        id.join("-"),
        names.join(" "),
        figcaption(project, page, &pictures),
    );
    for (one, picture) in all.iter().zip(&pictures) {
        html.push_str(&course(one, picture, all.len() > 1));
    }
    html.push_str("</figure>\n");
    Ok(html)
}

fn recorded(project: &Project, name: ProgramId) -> Result<Recorded, String> {
    let file = name.source();
    if !project.has(&file) {
        let known = project.listings().unwrap_or_default();
        let known: Vec<_> = known.iter().map(ProgramId::to_string).collect();
        let known = known.iter().map(String::as_str);
        let hint = suggest::did_you_mean(&name.to_string(), known);
        return Err(format!("there is no listing `{name}` ({file}){hint}"));
    }
    let json = name.timeline();
    if !project.has(&json) {
        return Err(format!(
            "{json} is missing, so there is no run to draw; `cargo book bless {name}` records it, or \
             says why it cannot"
        ));
    }
    let text = project.read(&file).map_err(|problem| problem.to_string())?;
    let source = Source::parse(&text).map_err(|error| format!("{file}: {}", error.message))?;
    let recording = project.read(&json).map_err(|problem| problem.to_string())?;
    let timeline = Timeline::parse(&recording).map_err(|why| {
        format!("{json}: is not a timeline: {why}; `cargo book bless {name}` writes it again")
    })?;
    Ok(Recorded {
        caption: source.caption().unwrap_or_default(),
        shown_lines: source.shown_lines(),
        name,
        timeline,
    })
}

fn figcaption(project: &Project, page: &str, pictures: &[Picture]) -> String {
    let compressed = if pictures.iter().any(|picture| picture.compressed) {
        "; ≈ is longer than drawn"
    } else {
        ""
    };
    let is_explained = project.has(&format!("src/{PAGE}")) && page != format!("src/{PAGE}");
    let how = if is_explained {
        let up = "../".repeat(page.matches('/').count().saturating_sub(1));
        format!(" <span class=\"where\"><a href=\"{up}{PAGE}\">How to read this</a></span>")
    } else {
        String::new()
    };
    format!(
        "<figcaption><span class=\"caption\">How its tasks move, in virtual time{compressed}</span>{how}</figcaption>"
    )
}

/// A run: its picture, what it prints, and the same in words.
fn course(one: &Recorded, picture: &Picture, several: bool) -> String {
    let name = &one.name;
    let mut html = format!("<div class=\"run-of\" data-listing=\"{name}\">\n");
    if several {
        let _ = writeln!(
            html,
            "<p class=\"which\"><code>{}</code> {}</p>",
            name.name,
            caption::caption(&one.caption)
        );
    }
    html.push_str(&picture.svg);
    // Filled by src/timeline.js; its place is kept, so that nothing moves when that has come.
    html.push_str("<div class=\"stepper\"></div>\n");
    if !picture.printed.is_empty() {
        let _ = writeln!(
            html,
            "<p class=\"prints\">Prints {}.</p>",
            picture.printed.join("; ")
        );
    }
    let _ = write!(
        html,
        "<p class=\"summary\">{}</p>\n<details class=\"words\"><summary>Step by step, in words</summary>\n<ol>\n{}\n</ol>\n</details>\n</div>\n",
        picture.summary,
        picture.words.join("\n")
    );
    html
}
