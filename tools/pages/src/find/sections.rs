//! The sections of all pages: what their headings lead to, and what they hold.

use crate::api;
use crate::directive;
use crate::expand;
use crate::listing::{ListingName, Source};
use crate::problem::Problem;
use crate::project::Project;
use crate::references::OPTIONS;
use crate::uses;
use mdbook_markdown::pulldown_cmark::{BrokenLink, CowStr, Event, Parser, Tag, TagEnd};
use std::collections::HashSet;

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
    /// The APIs that it links, as they are written.
    pub apis: Vec<String>,
    /// The programs that it shows.
    pub listings: Vec<Shown>,
    /// What programs and the compiler say here, and what readers quote.
    pub messages: Vec<String>,
    /// Questions that it answers elsewhere: a row of a table, and the link in it.
    pub questions: Vec<(String, String)>,
}

/// A program on a page.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its name.
    pub name: ListingName,
    /// The fragment of the figure's address.
    pub id: String,
    /// What it shows.
    pub caption: String,
    /// Its text.
    pub text: String,
}

impl Section {
    /// Its address as an author writes it: `tasks/waiting.md#the-pattern`.
    pub fn link(&self) -> String {
        format!("{}#{}", self.page, self.id)
    }
}

/// The sections of all pages, in the order of the table of contents: what stands earlier explains more.
///
/// # Errors
///
/// A page or a file that it shows cannot be read.
pub fn all(project: &Project) -> Result<Vec<Section>, Problem> {
    let contents = project.read("src/SUMMARY.md").unwrap_or_default();
    let mut files = uses::pages_below(project, "src");
    files.sort_by_key(|file| {
        let link = format!("]({})", file.trim_start_matches("src/"));
        contents.find(&link).unwrap_or(usize::MAX)
    });
    let mut sections = Vec::new();
    for file in files {
        let page = file.trim_start_matches("src/");
        let text = project.read(&file)?;
        if page != "SUMMARY.md" && !super::has_index(&text) {
            sections.extend(of_page(project, page, &text)?);
        }
    }
    Ok(sections)
}

fn of_page(project: &Project, page: &str, text: &str) -> Result<Vec<Section>, Problem> {
    let mut sections: Vec<(usize, Section)> = Vec::new();
    let mut used = HashSet::new();
    let (mut heading, mut id, mut row, mut link) = (None::<String>, None, Vec::new(), None);
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
                let id = id.take().unwrap_or_else(|| id_of(&title));
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
            Event::Start(Tag::TableRow) => (row, link) = (Vec::new(), None),
            Event::Start(Tag::TableCell) => row.push(String::new()),
            Event::Start(Tag::Link { dest_url, .. }) if !row.is_empty() => {
                link = Some(dest_url.to_string());
            }
            Event::End(TagEnd::TableRow) => {
                if let (Some((_, section)), Some(target)) = (sections.last_mut(), link.take())
                    && row.len() == 2
                    && target.contains(".md")
                {
                    section
                        .questions
                        .push((row[0].clone(), beside(page, &target)));
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
                    if let Some((_, section)) = sections.last_mut() {
                        section.text.push_str(&piece);
                    }
                }
            }
            Event::SoftBreak | Event::End(TagEnd::Paragraph | TagEnd::TableCell | TagEnd::Item) => {
                if let Some((_, section)) = sections.last_mut() {
                    section.text.push(' ');
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
    for directive in directive::find(text).0 {
        if let Some(index) = at(&sections, directive.range.start) {
            show(project, &directive, &mut sections[index].1)?;
        }
    }
    Ok(sections.into_iter().map(|(_, section)| section).collect())
}

/// Adds what a directive shows.
fn show(
    project: &Project,
    directive: &directive::Directive,
    section: &mut Section,
) -> Result<(), Problem> {
    // The text of a page has its directives, too.
    section.text = section.text.replace(
        &format!("{{{{#{} {}}}}}", directive.name, directive.argument),
        " ",
    );
    let Ok((name, anchor)) = expand::split_anchor(&directive.argument) else {
        return Ok(());
    };
    let (file, said) = match directive.name.as_str() {
        "listing" => (name.source(), name.errors()),
        "compile_fail" => (name.compile_fail(), name.stderr()),
        // It says nothing on standard error.
        "unstable" => (name.unstable(), String::new()),
        _ => return Ok(()),
    };
    // What is missing is told where the page is built.
    if !project.has(&file) {
        return Ok(());
    }
    let text = project.read(&file)?;
    let caption = Source::parse(&text)
        .ok()
        .and_then(|source| source.caption())
        .unwrap_or_default()
        .to_owned();
    section.listings.push(Shown {
        id: expand::figure_id(&name, anchor),
        name,
        caption,
        text,
    });
    if !said.is_empty() && project.has(&said) {
        let said = project.read(&said)?;
        section.messages.extend(said_in(&said));
    }
    Ok(())
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

/// A link on a page, relative to src/.
fn beside(page: &str, target: &str) -> String {
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The fragment that mdBook gives a heading.
pub(crate) fn id_of(title: &str) -> String {
    let lower = title.trim().to_lowercase();
    lower
        .chars()
        .filter_map(|c| match c {
            c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c),
            c if c.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

/// The same, with a number where the page has it already.
pub(crate) fn unique(id: String, used: &mut HashSet<String>) -> String {
    let mut candidate = id.clone();
    for number in 1.. {
        if used.insert(candidate.clone()) {
            break;
        }
        candidate = format!("{id}-{number}");
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_understood_from_their_page() {
        assert_eq!(
            beside("tasks/index.md", "waiting.md#a"),
            "tasks/waiting.md#a"
        );
        assert_eq!(beside("tasks/index.md", "../verified.md"), "verified.md");
        assert_eq!(beside("index.md", "./tasks/a.md"), "tasks/a.md");
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

    #[test]
    fn headings_have_the_fragments_that_mdbook_gives_them() {
        assert_eq!(id_of("`join!` is one task"), "join-is-one-task");
        let mut used = HashSet::new();
        let ids = ["a", "a", "a-1"].map(|id| unique(id.to_owned(), &mut used));
        assert_eq!(ids, ["a", "a-1", "a-1-1"]);
    }
}
