//! The book as a skill that coding agents load: a short `SKILL.md`, and a file of references for each part.
//!
//! Rules come first. Of a page stays its answer in short, one program, whole, with what it prints, and its
//! mistakes in a line each; a page without programs, such as a table, stays as it is. The format is that of
//! <https://agentskills.io>.

pub mod check;

use crate::book::{Book, Page};
use crate::links::{Target, target};
use crate::markdown;
use anyhow::{Context, Result};
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use pages::expand::{Expander, WRONG};
use pages::listing::{CLIPPYS, Source};
use pages::{ListingName, Project, manifest};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Where the skill is, relative to the book's root. The folder has the skill's name.
pub const FOLDER: &str = "skills/rust-async-patterns";

/// The command that writes it.
pub const COMMAND: &str = "cargo book skill";

/// The first file that an agent reads, with the directives of a page and the places below.
const TEMPLATE: &str = include_str!("../../skill/SKILL.md");

/// Where [`TEMPLATE`] has the list of the references.
const REFERENCES: &str = "@references@";

/// Where it has the rules: what [`RULES_PAGE`] has headings for.
const RULES: &str = "@rules@";

/// Where it has the symptoms: what [`SYMPTOMS_PAGE`] has headings for.
const SYMPTOMS: &str = "@symptoms@";

/// The page whose headings of the third level are the rules.
const RULES_PAGE: &str = "practices/index.html";

/// The page whose headings of the second level are the symptoms.
const SYMPTOMS_PAGE: &str = "debugging/symptoms.html";

/// Pages that are of use on paper or in a browser alone.
const LEFT_OUT: &[&str] = &["practices/cheat_sheet.html"];

/// The heading below which pages lead to others.
const SEE_ALSO: &str = "See also";

/// How the heading begins below which a page shows how it is done.
const PATTERN: &str = "The pattern";

/// How the header begins of the tables that lead readers to pages: an agent has the references.
const LEADS: &str = "| You ask |";

/// A column of the tables of what was measured, which is a matter of the machine.
const MEASURED: &str = "| Ratio |";

/// The files of the skill, by their paths in [`FOLDER`].
///
/// # Errors
///
/// A listing, its output or a manifest cannot be read.
pub fn files(project: &Project, book: &Book) -> Result<BTreeMap<String, String>> {
    let parts = parts(book);
    let mut files = BTreeMap::new();
    for part in &parts {
        let text = reference(project, &parts, part)?;
        files.insert(format!("references/{}", part.file()), text);
    }
    files.insert(
        "references/manifest.md".to_owned(),
        format!(
            "# One manifest for every program of this skill\n\n```toml\n{}```\n",
            manifest::shown(project, manifest::ALL)?
        ),
    );
    files.insert("SKILL.md".to_owned(), first_file(project, book, &parts)?);
    Ok(files)
}

/// Writes the skill, and removes what does not belong to it any more.
///
/// # Errors
///
/// As [`files`]; or a file cannot be written.
pub fn write(project: &Project, book: &Book) -> Result<usize> {
    let files = files(project, book)?;
    let folder = project.root().join(FOLDER);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {FOLDER}"))?;
    }
    for (file, text) in &files {
        let path = folder.join(file);
        let above = path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(above).with_context(|| format!("cannot make {}", above.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(files.len())
}

/// A part of the book: its opening page, and those below.
struct Part<'a> {
    /// The folder of its pages.
    name: String,
    title: &'a str,
    pages: Vec<&'a Page>,
}

impl Part<'_> {
    fn file(&self) -> String {
        format!("{}.md", self.name)
    }
}

/// The parts, in the order of the book.
fn parts(book: &Book) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for item in book.contents.iter().flat_map(|item| &item.children) {
        let pages: Vec<&Page> = std::iter::once(item)
            .chain(&item.children)
            .filter_map(|item| book.pages.get(item.page?))
            .filter(|page| !LEFT_OUT.contains(&page.html.as_str()))
            .collect();
        if let Some(name) = pages
            .first()
            .and_then(|first| first.html.strip_suffix("/index.html"))
        {
            parts.push(Part {
                name: name.to_owned(),
                title: &item.title,
                pages,
            });
        }
    }
    parts
}

fn first_file(project: &Project, book: &Book, parts: &[Part<'_>]) -> Result<String> {
    let expanded = Expander::new(project, None)
        .expand("tools/export/skill/SKILL.md", TEMPLATE)
        .map_err(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{}", problems.join("\n"))
        })?;
    let mut references = String::new();
    for part in parts {
        let about = part.pages.iter().skip(1).map(|page| page.title.as_str());
        let about: Vec<_> = about.collect();
        let _ = writeln!(
            references,
            "- [references/{file}](references/{file}): **{title}**. {}",
            about.join("; "),
            file = part.file(),
            title = part.title,
        );
    }
    let sections = |html: &str, level: &str| -> Vec<(String, String)> {
        let page = book.page(html).map(|page| words(page, parts));
        let text = page.unwrap_or_default();
        let start = format!("\n{level} ");
        let sections = text.split(&start).skip(1);
        let sections = sections.map(|it| it.split_once('\n').unwrap_or((it, "")));
        let first = |rest| paragraphs(rest).next().unwrap_or_default().to_owned();
        sections
            .filter(|(heading, _)| *heading != SEE_ALSO)
            .map(|(heading, rest)| (heading.trim().to_owned(), first(rest)))
            .collect()
    };
    let mut rules = String::new();
    for (rule, reason) in sections(RULES_PAGE, "###") {
        let reason = reason.replace("](", "](references/");
        let _ = writeln!(rules, "- **{rule}.** {reason}");
    }
    let mut symptoms = String::new();
    for (symptom, _) in sections(SYMPTOMS_PAGE, "##") {
        let id = slug(&symptom);
        let _ = writeln!(symptoms, "- [{symptom}](references/debugging.md#{id})");
    }
    let text = markdown::plain(&expanded)
        .replace(REFERENCES, references.trim_end())
        .replace(RULES, rules.trim_end())
        .replace(SYMPTOMS, symptoms.trim_end());
    Ok(text)
}

/// A part's file.
fn reference(project: &Project, parts: &[Part<'_>], part: &Part<'_>) -> Result<String> {
    let mut text = format!("# {}\n", part.title);
    if project.has(&manifest::file(&part.name)) {
        let _ = write!(
            text,
            "\nManifest for the programs of this file, which print what stands below them:\n\n```toml\n{}```\n",
            manifest::shown(project, &part.name)?
        );
    }
    for page in &part.pages {
        let listings = listings(&page.expanded);
        let of_page = words(page, parts);
        if listings.iter().any(|found| found.kind == Kind::Right) {
            let _ = write!(text, "\n## {}\n\n", page.heading());
            let short = paragraphs(&of_page).find(|it| it.starts_with("**In short:**"));
            if let Some(short) = short {
                let _ = write!(text, "{short}\n\n");
            }
            programs(project, &listings, &mut text)?;
            mistakes(project, &listings, &mut text)?;
            for table in choices(&of_page) {
                let _ = write!(text, "{table}\n\n");
            }
        } else {
            let _ = write!(text, "\n## {}\n{}", page.heading(), below(&of_page));
        }
    }
    Ok(markdown::without_gaps(&text))
}

/// What a figure on a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Right,
    Wrong,
    DoesNotCompile,
}

/// A program on a page, in its order.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    name: ListingName,
    kind: Kind,
    /// The heading that it stands under.
    heading: String,
}

/// The programs that an expanded page shows, each once.
fn listings(expanded: &str) -> Vec<Found> {
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
                    ListingName::parse(rest.split('"').next()?).ok()
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

/// The page's first program that shows how it is done, and what it prints.
fn programs(project: &Project, listings: &[Found], to: &mut String) -> Result<()> {
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

/// The page's mistakes, a line each: under which heading, what is wrong, and what is right instead.
fn mistakes(project: &Project, listings: &[Found], to: &mut String) -> Result<()> {
    let mut list = String::new();
    for (at, found) in listings.iter().enumerate() {
        let says = match found.kind {
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
        let _ = write!(list, "- **{}:** {says}", found.heading);
        if let Some(mended) = mended(listings, at) {
            let text = project.read(&mended.name.source())?;
            let source = parse(&text, &mended.name.source())?;
            let caption = source.caption().unwrap_or_default();
            let _ = write!(list, " Instead (`{}`): {caption}", mended.name.name);
        }
        list.push('\n');
    }
    if !list.is_empty() {
        let _ = write!(to, "Mistakes:\n\n{list}\n");
    }
    Ok(())
}

/// What mends a mistake: the next program that is right, below the same heading or as the pattern. One below another
/// heading is about something else.
fn mended(listings: &[Found], at: usize) -> Option<&Found> {
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

/// A page's Markdown, with its links as they lead inside of the skill; those that lead to documentation, and to
/// pages that the skill does not have, are their words alone.
fn words(page: &Page, parts: &[Part<'_>]) -> String {
    let text = markdown::plain(&page.expanded);
    let mut out = String::new();
    let mut copied = 0;
    let mut open: Option<(std::ops::Range<usize>, usize)> = None;
    let mut dest = String::new();
    for (event, range) in new_cmark_parser(&text, &MarkdownOptions::default()).into_offset_iter() {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                dest = dest_url.to_string();
                open = Some((range, 0));
            }
            Event::End(TagEnd::Link) => {
                let Some((range, end)) = open.take() else {
                    continue;
                };
                out.push_str(&text[copied..range.start]);
                copied = range.end;
                let inside = text[range.start + 1..end.max(range.start + 1)].to_owned();
                match inside_skill(page, parts, &dest) {
                    Some(to) => {
                        let _ = write!(out, "[{inside}]({to})");
                    }
                    None => out.push_str(&inside),
                }
            }
            _ => {
                if let Some((_, end)) = &mut open {
                    *end = (*end).max(range.end);
                }
            }
        }
    }
    out.push_str(&text[copied..]);
    let is_definition = |line: &&str| line.starts_with('[') && line.contains("]: <");
    let lines = out.lines().filter(|line| !is_definition(line));
    let lines = lines.filter(|line| !line.starts_with("Verified with "));
    let mut words = String::new();
    for line in lines {
        // mdBook's own way to name a heading is not that of other readers.
        let named = line.starts_with('#').then(|| line.split_once(" { #"));
        words.push_str(named.flatten().map_or(line, |(heading, _)| heading));
        words.push('\n');
    }
    markdown::without_gaps(&words)
}

/// Where a link leads in the skill: to the file of the page's part, and its heading there.
fn inside_skill(from: &Page, parts: &[Part<'_>], to: &str) -> Option<String> {
    let Target::Inside { file, .. } = target(&from.html, to) else {
        let is_documentation = to.contains("://docs.rs/") || to.contains("://doc.rust-lang.org/");
        return (!is_documentation).then(|| to.to_owned());
    };
    let html = file.replace(".md", ".html");
    let part = parts
        .iter()
        .find(|part| part.pages.iter().any(|page| page.html == html))?;
    let page = part.pages.iter().find(|page| page.html == html)?;
    Some(format!("{}#{}", part.file(), slug(&page.heading())))
}

/// The id of a heading, as most readers of Markdown make it.
fn slug(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c })
        .collect::<String>()
        .to_lowercase()
}

/// The blocks of a text between empty lines. A block of code is one, whatever is in it.
fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    let mut blocks = Vec::new();
    let (mut start, mut at) = (0, 0);
    let mut fenced = false;
    for line in text.split_inclusive('\n') {
        fenced ^= line.starts_with("```");
        if line.trim().is_empty() && !fenced {
            blocks.push(text[start..at].trim());
            start = at;
        }
        at += line.len();
    }
    blocks.push(text[start..].trim());
    blocks.into_iter().filter(|block| !block.is_empty())
}

/// The tables of a page, each with the heading above it, but for those that lead to other pages or were measured.
fn choices(text: &str) -> Vec<String> {
    let mut tables = Vec::new();
    let mut heading = "";
    for block in paragraphs(text) {
        if let Some(it) = block.strip_prefix('#') {
            heading = it.trim_start_matches('#').trim();
        } else if block.starts_with('|') && !block.starts_with(LEADS) && !block.contains(MEASURED) {
            let colon = if heading.ends_with('?') { "" } else { ":" };
            tables.push(format!("{heading}{colon}\n\n{block}"));
        }
    }
    tables
}

/// A whole page below its title: its headings one level lower, without what leads to other pages and without the
/// manifest, which stands at the top of the file.
fn below(text: &str) -> String {
    let mut out = String::new();
    let mut sections: Vec<String> = Vec::new();
    let mut fenced = false;
    for line in text.lines().skip(1) {
        fenced ^= line.starts_with("```");
        if line.starts_with('#') && !fenced {
            sections.push(format!("#{line}\n"));
            continue;
        }
        match sections.last_mut() {
            Some(section) => {
                section.push_str(line);
                section.push('\n');
            }
            None => sections.push(format!("{line}\n")),
        }
    }
    for section in sections {
        let is_left_out = section.contains(LEADS)
            || section.contains("\n```toml")
            || section.lines().next() == Some(&format!("### {SEE_ALSO}"));
        if !is_left_out {
            out.push_str(&section);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_code_is_one_paragraph_and_no_heading() {
        let text = "# A\n\n```rust\n#[a]\n\nfn b() {}\n```\n\n| c |\n|---|\n";
        let blocks: Vec<_> = paragraphs(text).collect();
        assert_eq!(
            blocks,
            ["# A", "```rust\n#[a]\n\nfn b() {}\n```", "| c |\n|---|"]
        );
        assert_eq!(choices(text), ["A:\n\n| c |\n|---|"]);
    }

    #[test]
    fn what_leads_to_pages_and_what_was_measured_is_left_out() {
        let text =
            "# A\n\n| You ask | Answer |\n|---|---|\n\n| Way | Ratio | Rounds |\n|---|---|---|\n";
        assert!(choices(text).is_empty());
    }

    #[test]
    fn the_programs_of_a_page_stand_below_their_headings() {
        let expanded = "# P\n\n## One\n\n<figure class=\"listing wrong\" id=\"x\" data-listing=\"a/x\">\n</figure>\n\n\
            <figure class=\"listing\" id=\"y\" data-listing=\"a/y\">\n</figure>\n\n## Two\n\n\
            <figure class=\"listing compile-fail\" id=\"z\" data-compile-fail=\"a/z\">\n</figure>\n";
        let found = listings(expanded);
        let told: Vec<_> = found
            .iter()
            .map(|it| (it.name.name.as_str(), it.kind, it.heading.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("x", Kind::Wrong, "One"),
                ("y", Kind::Right, "One"),
                ("z", Kind::DoesNotCompile, "Two"),
            ]
        );
    }

    #[test]
    fn a_mistake_is_mended_below_its_heading_or_by_the_pattern() {
        let found = |name: &str, kind, heading: &str| Found {
            name: ListingName::parse(&format!("a/{name}")).expect("it is a name"),
            kind,
            heading: heading.to_owned(),
        };
        let of = |listings: &[Found]| mended(listings, 0).map(|it| it.name.name.clone());
        let wrong = || found("x", Kind::Wrong, "One");
        let below = |heading| [wrong(), found("y", Kind::Right, heading)];
        assert_eq!(of(&below("One")).as_deref(), Some("y"));
        assert_eq!(of(&below("The pattern: a set")).as_deref(), Some("y"));
        assert_eq!(of(&below("Two")), None);
        let another = found("z", Kind::Wrong, "Two");
        let pattern = found("y", Kind::Right, "The pattern");
        assert_eq!(of(&[wrong(), another, pattern]), None);
    }

    #[test]
    fn the_id_of_a_heading_is_its_words() {
        assert_eq!(slug("Pin: what `it` is, and why"), "pin-what-it-is-and-why");
    }
}
