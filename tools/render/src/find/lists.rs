//! The indexes that are read as lists: by message, and by API.

use super::sections::Section;
use model::{Problem, Project, api};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// How many of the programs that use an API are named: a reader who wants an example doesn't want a hundred.
const MOST: usize = 8;

/// Each message, and where it is explained. `up` leads from the page to the site's root.
pub fn messages(sections: &[Section], up: &str) -> String {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for section in sections {
        for message in &section.messages {
            all.entry(message.clone())
                .or_default()
                .insert(place(section, up));
        }
    }
    let mut list = String::new();
    for (message, places) in all {
        let places: Vec<_> = places.into_iter().collect();
        let _ = writeln!(list, "- {}: {}", verbatim(&message), places.join(", "));
    }
    list
}

/// Each API that a page links, where, and the programs that use it: those whose names begin with the letters.
///
/// # Errors
///
/// The map of APIs cannot be read, or Cargo.lock.
pub fn apis(
    project: &Project,
    sections: &[Section],
    letters: &RangeInclusive<char>,
    up: &str,
) -> Result<String, Problem> {
    let map = api::Map::read(project)?;
    let first = |name: &str| name.chars().next().unwrap_or('a').to_ascii_lowercase();
    let all = sections.iter().flat_map(|section| &section.apis);
    // In the order of a dictionary, whatever the case.
    let names: BTreeSet<(String, &String)> = all
        .filter(|name| letters.contains(&first(name)))
        .map(|name| (name.to_lowercase(), name))
        .collect();
    // The words of each program, found once: there are as many programs as APIs.
    let mut programs_shown = Vec::new();
    for section in sections {
        for shown in &section.listings {
            let words: BTreeSet<&str> = split(&shown.text).collect();
            programs_shown.push((section, shown, words));
        }
    }
    let mut list = String::new();
    for (_, name) in names {
        // One that does not exist is told on the page that names it.
        let Ok(url) = map.url(project, name) else {
            continue;
        };
        let named = sections
            .iter()
            .filter(|section| section.apis.contains(name));
        let places: Vec<_> = named.map(|section| place(section, up)).collect();
        let mut programs = BTreeMap::new();
        for (section, shown, words) in &programs_shown {
            if calls(words, name) {
                let link = format!("{up}{}#{}", section.page, shown.id);
                programs.entry(&shown.name.name).or_insert(link);
            }
        }
        let more = programs.len().saturating_sub(MOST);
        let programs: Vec<_> = programs
            .iter()
            .take(MOST)
            .map(|(name, link)| format!("[`{name}`]({link})"))
            .collect();
        let _ = write!(list, "- [`{name}`]({url}): {}", places.join(", "));
        if !programs.is_empty() {
            let _ = write!(list, "; used by {}", programs.join(", "));
        }
        if more > 0 {
            let _ = write!(list, " and {more} more");
        }
        list.push('\n');
    }
    Ok(list)
}

fn place(section: &Section, up: &str) -> String {
    let title = match section.title == section.page_title {
        true => section.page_title.clone(),
        false => format!("{}: {}", section.page_title, section.title),
    };
    format!(
        "[{}]({up}{})",
        title.replace(['[', ']'], ""),
        section.link()
    )
}

/// A message as it was said. Backticks in it stay what they are.
fn verbatim(message: &str) -> String {
    let longest = message.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if message.starts_with('`') || message.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{message}{pad}{fence}")
}

/// Whether a program of these words uses an API: it has the words of its name.
fn calls(words: &BTreeSet<&str>, name: &str) -> bool {
    // The crate and its modules are in a `use`, which may be written in many ways.
    let is_telling = |word: &&str| {
        name.rsplit("::")
            .take(2)
            .any(|part| part.trim_end_matches('!') == *word)
            && (word.contains('_')
                || word.starts_with(char::is_uppercase)
                || name.ends_with(*word)
                || name.ends_with('!'))
    };
    let mut telling = split(name).filter(is_telling).peekable();
    telling.peek().is_some() && telling.all(|word| words.contains(word))
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_uses_what_it_names() {
        let program = "let set = JoinSet::new(); tokio::join!(a); set.join_next().await";
        let words: BTreeSet<&str> = split(program).collect();
        assert!(calls(&words, "JoinSet::join_next"));
        assert!(calls(&words, "join!"));
        assert!(calls(&words, "JoinSet"));
        assert!(!calls(&words, "JoinMap::join_next"));
        assert!(!calls(&words, "JoinSet::join_all"));
        assert!(!calls(&words, "futures::future::join_all"));
    }

    #[test]
    fn a_message_keeps_its_backticks() {
        assert_eq!(verbatim("`a` is bad"), "`` `a` is bad ``");
        assert_eq!(verbatim("no luck"), "`no luck`");
    }
}
