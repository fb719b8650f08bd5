//! The programs of a page: which are right, which are mistakes, and which program fixes a mistake.

use anyhow::Result;
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};

use model::source::{CLIPPYS, Source, WRONG};
use model::{ProgramId, Project};
use std::fmt::Write as _;

/// How the heading starts below which a page shows its pattern.
const PATTERN: &str = "The pattern";

/// Whether a program is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Right,
    Wrong,
    DoesNotCompile,
}

/// A program on a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    name: ProgramId,
    pub(super) kind: Kind,
    /// The heading above it.
    heading: String,
}

/// The programs on an expanded page, in their order, each once.
pub(super) fn listings(expanded: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut heading = String::new();
    let mut in_heading = false;
    for event in new_cmark_parser(expanded, &MarkdownOptions::default()) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                heading.clear();
                in_heading = true;
            }
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Text(text) | Event::Code(text) if in_heading => heading.push_str(&text),
            Event::Html(html) => {
                let attribute = |name: &str| {
                    let (_, rest) = html.split_once(&format!("{name}=\""))?;
                    ProgramId::parse(rest.split('"').next()?).ok()
                };
                let wrong = html.contains("class=\"listing wrong\"");
                let right = if wrong { Kind::Wrong } else { Kind::Right };
                let listing = attribute("data-listing").map(|name| (name, right));
                let program =
                    attribute("data-compile-fail").map(|name| (name, Kind::DoesNotCompile));
                if let Some((name, kind)) = listing.or(program)
                    && found.iter().all(|it| it.name != name)
                {
                    found.push(Found {
                        name,
                        kind,
                        heading: heading.clone(),
                    });
                }
            }
            _ => {}
        }
    }
    found
}

/// Adds the page's first right program, and its output.
pub(super) fn programs(project: &Project, listings: &[Found], to: &mut String) -> Result<()> {
    let Some(first) = listings.iter().find(|found| found.kind == Kind::Right) else {
        return Ok(());
    };
    let text = project.read(&first.name.source())?;
    let source = parse(&text, &first.name.source())?;
    let _ = write!(to, "```rust\n{}```\n\n", source.program_without_tests());
    let output = first.name.output();
    if project.has(&output) {
        let _ = write!(to, "Prints:\n\n```text\n{}```\n\n", project.read(&output)?);
    }
    Ok(())
}

/// Adds the page's mistakes, a line each: the heading above, what is wrong, and what to do instead.
pub(super) fn mistakes(project: &Project, listings: &[Found], to: &mut String) -> Result<()> {
    let mut list = String::new();
    for (at, found) in listings.iter().enumerate() {
        let mistake = match found.kind {
            Kind::Right => continue,
            Kind::Wrong => {
                let text = project.read(&found.name.source())?;
                let source = parse(&text, &found.name.source())?;
                let caption = source.caption().unwrap_or_default();
                caption.trim_start_matches(WRONG).trim().to_owned()
            }
            Kind::DoesNotCompile => {
                let message = project.read(&found.name.stderr())?;
                let first = message.lines().next().unwrap_or_default();
                let text = project.read(&found.name.compile_fail())?;
                let how = match text.contains(CLIPPYS) {
                    true => "Clippy refuses it",
                    false => "does not compile",
                };
                format!("{how}: `{}`.", first.replace('`', "'"))
            }
        };
        let _ = write!(list, "- **{}:** {mistake}", found.heading);
        if let Some(fixed) = fixed(listings, at) {
            let text = project.read(&fixed.name.source())?;
            let source = parse(&text, &fixed.name.source())?;
            let caption = source.caption().unwrap_or_default();
            let _ = write!(list, " Instead (`{}`): {caption}", fixed.name.name);
        }
        list.push('\n');
    }
    if !list.is_empty() {
        let _ = write!(to, "Mistakes:\n\n{list}\n");
    }
    Ok(())
}

/// The fixed version of a mistake: the next right program, if it is below the same heading or is the pattern. A program
/// below another heading is about something else.
fn fixed(listings: &[Found], at: usize) -> Option<&Found> {
    let found = &listings[at];
    let is_one = |next: &&Found| next.heading == found.heading || next.heading.starts_with(PATTERN);
    listings[at + 1..]
        .iter()
        .take_while(|next| next.heading == found.heading || next.kind == Kind::Right)
        .find(|next| next.kind == Kind::Right)
        .filter(is_one)
}

fn parse<'a>(text: &'a str, file: &str) -> Result<Source<'a>> {
    Source::parse(text).map_err(|error| anyhow::anyhow!("{file}: {}", error.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_with_their_headings() {
        let expanded = "# P\n\n## One\n\n<figure class=\"listing wrong\" id=\"x\" data-listing=\"a/x\">\n</figure>\n\n\
            <figure class=\"listing\" id=\"y\" data-listing=\"a/y\">\n</figure>\n\n## Two\n\n\
            <figure class=\"listing compile-fail\" id=\"z\" data-compile-fail=\"a/z\">\n</figure>\n";
        let found = listings(expanded);
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.name.name.as_str(), it.kind, it.heading.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("x", Kind::Wrong, "One"),
                ("y", Kind::Right, "One"),
                ("z", Kind::DoesNotCompile, "Two"),
            ]
        );
    }

    #[test]
    fn the_fixed_version_is_below_the_same_heading_or_is_the_pattern() {
        let found = |name: &str, kind, heading: &str| Found {
            name: ProgramId::parse(&format!("a/{name}")).expect("it is a name"),
            kind,
            heading: heading.to_owned(),
        };
        let of = |listings: &[Found]| fixed(listings, 0).map(|it| it.name.name.clone());
        let wrong = || found("x", Kind::Wrong, "One");
        let below = |heading| [wrong(), found("y", Kind::Right, heading)];
        assert_eq!(of(&below("One")).as_deref(), Some("y"));
        assert_eq!(of(&below("The pattern: a set")).as_deref(), Some("y"));
        assert_eq!(of(&below("Two")), None);
        let another = found("z", Kind::Wrong, "Two");
        let pattern = found("y", Kind::Right, "The pattern");
        assert_eq!(of(&[wrong(), another, pattern]), None);
    }
}
