//! The sections of all pages: what their headings lead to, and what they hold.

use mdbook_markdown::pulldown_cmark::{BrokenLink, CowStr, Event, Parser, Tag, TagEnd};
use model::directive::{Directive, Placed};
use model::ids::{heading_id, unique};
use model::program::ProgramKind;
use model::references::OPTIONS;
use model::source::Source;
use model::uses::{self, Page};
use model::{Problem, ProgramId, Project, address, api};
use std::collections::HashSet;
use std::sync::Arc;

/// A heading and what stands below it, up to the next one.
#[derive(Debug, Default, Clone)]
pub struct Section {
    /// The page, relative to src/: `tasks/waiting.md`.
    pub page: String,
    /// The page's own title.
    pub page_title: String,
    /// The fragment of its address.
    pub id: String,
    /// The heading, as text.
    pub title: String,
    /// The prose, as text.
    pub text: String,
    /// The beginning of its first sentence, which is shown with a result. Empty if the section begins with a list or a table.
    pub sentence: String,
    /// What readers type who look for it: `{{#aliases}}`.
    pub aliases: Vec<String>,
    /// The APIs that it links, as they are written.
    pub apis: Vec<String>,
    /// The programs that it shows.
    pub listings: Vec<Shown>,
    /// What programs and the compiler say here, and what readers quote.
    pub messages: Vec<String>,
    /// Questions and symptoms that are answered elsewhere: the first cell of a table's row, and the last link in the row.
    pub questions: Vec<(String, String)>,
}

/// A program on a page.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its name.
    pub name: ProgramId,
    /// The fragment of the figure's address.
    pub id: String,
    /// What it shows.
    pub caption: String,
    /// Its text.
    pub text: String,
}

impl Section {
    /// Its address as an author writes it: `tasks/waiting.md#spawn-every-call-into-a-joinset-and-collect-the-results`.
    pub fn link(&self) -> String {
        format!("{}#{}", self.page, self.id)
    }
}

/// The sections of all pages, in the order of the table of contents: earlier pages explain more.
///
/// # Errors
///
/// A page or a file that it shows cannot be read.
pub fn all(project: &Project) -> Result<Arc<Vec<Section>>, Problem> {
    let sections = project.once("src", || find(project).map(Arc::new));
    sections.as_ref().clone()
}

fn find(project: &Project) -> Result<Vec<Section>, Problem> {
    let contents = project.read("src/SUMMARY.md").unwrap_or_default();
    let pages = uses::pages(project);
    let mut pages: Vec<_> = pages.iter().collect();
    pages.sort_by_key(|page| {
        let link = format!("]({})", page.file.trim_start_matches("src/"));
        contents.find(&link).unwrap_or(usize::MAX)
    });
    let mut sections = Vec::new();
    for page in pages {
        if page.file != "src/SUMMARY.md" && !page.has_index() {
            sections.extend(of_page(project, page)?);
        }
    }
    Ok(sections)
}

fn of_page(project: &Project, source: &Page) -> Result<Vec<Section>, Problem> {
    let page = source.file.trim_start_matches("src/");
    let text = source.text.as_str();
    let mut sections: Vec<(usize, Section)> = Vec::new();
    let mut used = HashSet::new();
    let (mut heading, mut id, mut row, mut link) = (None::<String>, None, Vec::new(), None);
    let mut before_row = 0;
    // The first paragraph of a section, while it's read; and in how many items of lists the text stands.
    let (mut paragraph, mut items) = (None::<String>, 0_usize);
    // Where a reference is not defined, the text is that of a link all the same.
    let callback =
        |_: BrokenLink<'_>| -> Option<(CowStr<'_>, CowStr<'_>)> { Some(("".into(), "".into())) };
    let parser = Parser::new_with_broken_link_callback(text, OPTIONS, Some(callback));
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { id: own, .. }) => {
                heading = Some(String::new());
                id = own.map(|own| own.to_string());
            }
            Event::End(TagEnd::Heading(_)) => {
                let title = heading.take().unwrap_or_default();
                let id = id.take().unwrap_or_else(|| heading_id(&title));
                let page_title = match sections.first() {
                    Some((_, first)) => first.title.clone(),
                    None => title.clone(),
                };
                let section = Section {
                    page: page.to_owned(),
                    page_title,
                    id: unique(id, &mut used),
                    messages: quoted(&title),
                    title,
                    ..Section::default()
                };
                sections.push((range.start, section));
            }
            Event::Start(Tag::TableRow) => {
                (row, link) = (Vec::new(), None);
                before_row = sections.last().map_or(0, |(_, section)| section.text.len());
            }
            Event::Start(Tag::TableCell) => row.push(String::new()),
            Event::Start(Tag::Item) => items += 1,
            Event::Start(Tag::Paragraph) if items == 0 => paragraph = Some(String::new()),
            // The last cell leads to the answer.
            Event::Start(Tag::Link { dest_url, .. })
                if row.len() > 1 && dest_url.contains(".md") && !dest_url.contains("://") =>
            {
                link = Some(dest_url.to_string());
            }
            Event::End(TagEnd::TableRow) => {
                let is_first = sections.len() == 1;
                if let (Some((_, section)), Some(target)) = (sections.last_mut(), link.take())
                    && let 2..=3 = row.len()
                {
                    let target = address::resolve(page, &target);
                    // A question on a hub is found where its answer is, not on the hub.
                    if target.split('#').next() != Some(page) {
                        if is_first {
                            section.messages.extend(quoted(&row[0]));
                        }
                        section.text.truncate(before_row);
                    }
                    section.questions.push((row[0].clone(), target));
                }
                row.clear();
            }
            Event::Text(piece) | Event::Code(piece) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&piece);
                } else {
                    if let Some(cell) = row.last_mut() {
                        cell.push_str(&piece);
                    }
                    if let Some(paragraph) = &mut paragraph {
                        paragraph.push_str(&piece);
                    }
                    if let Some((_, section)) = sections.last_mut() {
                        section.text.push_str(&piece);
                    }
                }
            }
            Event::SoftBreak | Event::End(TagEnd::Paragraph | TagEnd::TableCell | TagEnd::Item) => {
                if event == Event::End(TagEnd::Item) {
                    items -= 1;
                }
                if let (Event::SoftBreak, Some(paragraph)) = (&event, &mut paragraph) {
                    paragraph.push(' ');
                }
                if let Some((_, section)) = sections.last_mut() {
                    section.text.push(' ');
                    if event == Event::End(TagEnd::Paragraph)
                        && let Some(paragraph) = paragraph.take()
                        && section.sentence.is_empty()
                        && !paragraph.contains("{{#")
                    {
                        section.sentence = beginning(&paragraph);
                    }
                }
            }
            _ => {}
        }
    }
    // Before the second heading stands the problem, in the words of who has it.
    if let Some((_, first)) = sections.first_mut() {
        first.messages.extend(quoted(&first.text));
    }
    let at = |sections: &[(usize, Section)], offset: usize| {
        sections.iter().rposition(|(start, _)| *start <= offset)
    };
    for api in api::named(text) {
        let offset: usize = text
            .split_inclusive('\n')
            .take(api.line - 1)
            .map(str::len)
            .sum();
        if let Some(index) = at(&sections, offset) {
            sections[index].1.apis.push(api.name);
        }
    }
    for placed in &source.directives {
        if let Some(index) = at(&sections, placed.range.start) {
            show(project, placed, &mut sections[index].1)?;
        }
    }
    Ok(sections.into_iter().map(|(_, section)| section).collect())
}

/// Adds what a directive shows.
fn show(project: &Project, placed: &Placed, section: &mut Section) -> Result<(), Problem> {
    // The text of a page has its directives, too.
    section.text = section.text.replace(
        &format!("{{{{#{} {}}}}}", placed.name, placed.argument),
        " ",
    );
    let (kind, shown) = match &placed.directive {
        Ok(Directive::Program(kind, shown)) => (kind, shown),
        Ok(Directive::Aliases(aliases)) => {
            section.aliases.extend(aliases.iter().cloned());
            return Ok(());
        }
        _ => return Ok(()),
    };
    let file = shown.id.file(*kind);
    // What is missing is reported where the page is built.
    if !project.has(&file) {
        return Ok(());
    }
    let text = project.read(&file)?;
    let caption = Source::parse(&text)
        .ok()
        .and_then(|source| source.caption())
        .unwrap_or_default();
    section.listings.push(Shown {
        id: shown.figure_id(),
        name: shown.id.clone(),
        caption,
        text,
    });
    let printed = match kind {
        ProgramKind::Listing => shown.id.errors(),
        ProgramKind::CompileFail => shown.id.stderr(),
        // It says nothing on standard error.
        ProgramKind::Unstable => return Ok(()),
    };
    if project.has(&printed) {
        section.messages.extend(said_in(&project.read(&printed)?));
    }
    Ok(())
}

/// How many characters of a first sentence are shown.
const MOST_SHOWN: usize = 60;

/// The first sentence of a paragraph, or as many of its words as are shown.
fn beginning(paragraph: &str) -> String {
    let ends = paragraph.match_indices(['.', '?', '!']);
    let mut ends = ends.map(|(at, _)| at + 1);
    let is_end = |at: &usize| {
        let mut rest = paragraph[*at..].chars();
        rest.next() == Some(' ') && rest.next().is_some_and(|it| !it.is_lowercase())
    };
    let sentence = &paragraph[..ends.find(is_end).unwrap_or(paragraph.len())];
    if sentence.chars().count() <= MOST_SHOWN {
        return sentence.to_owned();
    }
    let cut: String = sentence.chars().take(MOST_SHOWN).collect();
    format!(
        "{}…",
        cut.rsplit_once(' ')
            .map_or(cut.as_str(), |(words, _)| words)
    )
}

/// The messages in what a program or the compiler says: an error's first line, or what a panic says.
fn said_in(text: &str) -> Vec<String> {
    let mut messages = Vec::new();
    let mut panicked = false;
    for line in text.lines() {
        if panicked || line.starts_with("error") {
            messages.push(line.trim().to_owned());
        }
        panicked = line.starts_with("thread '") && line.contains(" panicked at ");
    }
    messages
}

/// What stands between quotes: at least two words, as messages have.
fn quoted(text: &str) -> Vec<String> {
    let pieces = text.split('"').skip(1).step_by(2);
    pieces
        .map(|piece| piece.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|piece| piece.contains(' '))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_ends_where_a_reader_would_end_it() {
        let text = "Version 1.54 waits, e.g. for a lock. Then it ends.";
        assert_eq!(beginning(text), "Version 1.54 waits, e.g. for a lock.");
        assert_eq!(beginning("It prints:"), "It prints:");
        let long = beginning(&"word ".repeat(30));
        assert_eq!(long, format!("{}…", ["word"; 12].join(" ")));
    }

    #[test]
    fn messages_are_what_was_said_and_what_is_quoted() {
        let said = "thread 'main' panicked at a.rs:1:2:\nno luck\nnote: run\nerror[E1]: `a` is bad\n  --> a.rs\n";
        assert_eq!(said_in(said), ["no luck", "error[E1]: `a` is bad"]);
        assert_eq!(
            quoted("It says \"too many\nopen files\", or \"429\"."),
            ["too many open files"]
        );
    }
}
