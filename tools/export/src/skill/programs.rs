//! The programs of a page: which are right, which are mistakes, and which program fixes a mistake.

use anyhow::Result;
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};

use model::crate_file::CrateFile;
use model::hazards::Declarations;
use model::source::{CLIPPYS, Source, WRONG};
use model::{ProgramId, Project, output};
use std::fmt::Write as _;

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

/// The first code on an expanded page that is part of a crate, and no program.
pub(super) fn crate_code(expanded: &str) -> Option<CrateFile> {
    let names = expanded.split(" data-source=\"").skip(1);
    let mut files = names.filter_map(|rest| CrateFile::parse(rest.split('"').next()?).ok());
    files.find(CrateFile::is_rust)
}

/// Adds code that is part of a crate. It can't be compiled alone, so it's marked unlike a program.
pub(super) fn excerpt(project: &Project, code: &CrateFile, to: &mut String) -> Result<()> {
    let shown = code.shown(project).map_err(anyhow::Error::msg)?;
    let _ = write!(
        to,
        "Part of `{}`:\n\n```rust,ignore\n{}```\n\n",
        code.file(),
        shown.text
    );
    Ok(())
}

/// Adds the page's first right program, and its output.
pub(super) fn programs(project: &Project, listings: &[Found], to: &mut String) -> Result<()> {
    let Some(first) = listings.iter().find(|found| found.kind == Kind::Right) else {
        return Ok(());
    };
    let text = project.read(&first.name.source())?;
    let source = parse(&text, &first.name.source())?;
    let _ = write!(to, "```rust\n{}```\n\n", source.program_without_tests());
    let outputs = output::shown(project, &first.name)?;
    if let Some(output) = outputs.iter().find(|output| project.has(&output.file)) {
        let text = project.read(&output.file)?;
        let _ = write!(to, "Prints:\n\n```text\n{text}```\n\n");
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
        if let Some(fixed) = fixed(project, listings, at)? {
            let text = project.read(&fixed.source())?;
            let source = parse(&text, &fixed.source())?;
            let caption = source.caption().unwrap_or_default();
            let _ = write!(list, " Instead (`{}`): {caption}", fixed.name);
        }
        list.push('\n');
    }
    if !list.is_empty() {
        let _ = write!(to, "Mistakes:\n\n{list}\n");
    }
    Ok(())
}

/// The fixed version of a mistake: the one that is declared. For a program that doesn't compile, it's a right one below the same
/// heading, if possible a later one.
fn fixed(project: &Project, listings: &[Found], at: usize) -> Result<Option<ProgramId>> {
    let found = &listings[at];
    if found.kind == Kind::Wrong {
        return Ok(Declarations::read(project, &found.name.part)?.fixed(&found.name));
    }
    let is_one = |it: &&Found| it.kind == Kind::Right && it.heading == found.heading;
    let (before, after) = listings.split_at(at);
    let one = after
        .iter()
        .find(is_one)
        .or_else(|| before.iter().rfind(is_one));
    Ok(one.map(|it| it.name.clone()))
}

fn parse<'a>(text: &'a str, file: &str) -> Result<Source<'a>> {
    Source::parse(text).map_err(|error| anyhow::anyhow!("{file}: {}", error.message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

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
    fn code_of_a_crate_stands_for_a_program_and_is_marked() {
        let book = Scratch::sound();
        book.write("listings/shop/Cargo.toml", "");
        book.write(
            "listings/shop/src/lib.rs",
            "// ANCHOR: a\npub mod a;\n// ANCHOR_END: a\n",
        );
        let project = Project::open(book.root()).expect("a book");
        let figure =
            |of: &str| format!("<figure id=\"x\" data-source=\"shop/{of}\">\n</figure>\n\n");
        let expanded = figure("shop.toml") + &figure("src/lib.rs:a") + &figure("src/b.rs");
        let code = crate_code(&expanded).expect("there is code");
        let mut text = String::new();
        excerpt(&project, &code, &mut text).expect("it can be read");
        assert_eq!(
            text,
            "Part of `listings/shop/src/lib.rs`:\n\n```rust,ignore\npub mod a;\n```\n\n"
        );
        assert_eq!(crate_code("data-listing=\"a/x\""), None);
    }

    #[test]
    fn the_fixed_version_is_declared_or_below_the_same_heading() {
        let book = Scratch::sound();
        let declared = "[wrong]\nx = { hazard = \"stop\", fixed = \"y\" }\n";
        book.write("listings/a/hazards.toml", declared);
        let project = Project::open(book.root()).expect("a book");
        let found = |name: &str, kind, heading: &str| Found {
            name: ProgramId::parse(&format!("a/{name}")).expect("it is a name"),
            kind,
            heading: heading.to_owned(),
        };
        let all = [
            found("y", Kind::Right, "One"),
            found("v", Kind::DoesNotCompile, "One"),
            found("x", Kind::Wrong, "Two"),
            found("u", Kind::Wrong, "Two"),
            found("w", Kind::DoesNotCompile, "Three"),
            found("z", Kind::Right, "Three"),
            found("t", Kind::DoesNotCompile, "Four"),
        ];
        let of = |at: usize| {
            let fixed = fixed(&project, &all, at).expect("the declarations can be read");
            fixed.map(|it| it.name)
        };
        let twins = [1, 2, 3, 4, 6].map(of);
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(twins, [name("y"), name("y"), None, name("z"), None]);
    }
}
