//! The indexes that are read as lists: by message, and by API.

use super::sections::Section;
use model::{Problem, Project, api};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// How many of the programs that use an API are named: a reader who wants an example doesn't want a hundred.
const MOST: usize = 3;

/// How many of the sections that name an API are linked.
const MOST_PLACES: usize = 4;

/// Each message, and where it is explained, except on the pages of a part. `up` leads from the page to the site's root.
pub fn messages(sections: &[Section], except: Option<&str>, up: &str) -> String {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let is_listed = |it: &&Section| except.is_none() || it.page.split('/').next() != except;
    for section in sections.iter().filter(is_listed) {
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
    // Where a reader looks: `tokio::task::JoinSet::len` is beside `JoinSet`.
    let own = |name: &str| {
        let at = name.rfind("::").map_or(0, |at| at + 2);
        let is_type = |(at, _): &(usize, &str)| name[at + 2..].starts_with(char::is_uppercase);
        let of_type = name.match_indices("::").find(is_type).map(|(at, _)| at + 2);
        let starts_with_type = name.starts_with(char::is_uppercase);
        name[if starts_with_type {
            0
        } else {
            of_type.unwrap_or(at)
        }..]
            .to_lowercase()
    };
    let all = sections.iter().flat_map(|section| &section.apis);
    // In the order of a dictionary, whatever the case.
    let names: BTreeSet<(String, &String)> = all
        .map(|name| (own(name), name))
        .filter(|(own, _)| letters.contains(&first(own)))
        .collect();
    let programs = project.once("src", || Programs::of(sections));
    let mut list = String::new();
    for (_, name) in names {
        // One that does not exist is reported on the page that names it.
        let Ok(url) = map.url(project, name) else {
            continue;
        };
        let named = sections
            .iter()
            .filter(|section| section.apis.contains(name));
        // Earlier sections explain more.
        let places: Vec<_> = named
            .take(MOST_PLACES)
            .map(|section| place(section, up))
            .collect();
        let mut users = BTreeMap::new();
        for program in programs.that_use(name) {
            users.entry(&program.name).or_insert(&program.link);
        }
        let more = users.len().saturating_sub(MOST);
        let programs: Vec<_> = users
            .iter()
            .take(MOST)
            .map(|(name, link)| format!("[`{name}`]({up}{link})"))
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
    // A heading makes sense without its page's title. This one doesn't.
    let title = match section.title.as_str() {
        "See also" => &section.page_title,
        title => title,
    };
    format!(
        "[{}]({up}{})",
        title.replace(['[', ']'], "").replace('<', "\\<"),
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

/// The programs on the pages, by the words that they have.
#[derive(Default)]
struct Programs {
    all: Vec<Program>,
    with_word: HashMap<String, BTreeSet<usize>>,
}

struct Program {
    name: String,
    /// From the site's root.
    link: String,
}

impl Programs {
    fn of(sections: &[Section]) -> Self {
        let mut programs = Self::default();
        // A program that is shown several times is linked where it comes first.
        let mut known = BTreeSet::new();
        for section in sections {
            for shown in &section.listings {
                if known.insert(&shown.name) {
                    let link = format!("{}#{}", section.page, shown.id);
                    programs.add(&shown.name.name, link, &shown.text);
                }
            }
        }
        programs
    }

    fn add(&mut self, name: &str, link: String, text: &str) {
        let number = self.all.len();
        self.all.push(Program {
            name: name.to_owned(),
            link,
        });
        let words: HashSet<&str> = split(text).collect();
        for word in words {
            let programs = self.with_word.entry(word.to_owned()).or_default();
            programs.insert(number);
        }
    }

    /// The programs that use an API: those that have the words of its name.
    fn that_use(&self, name: &str) -> Vec<&Program> {
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
        let none = BTreeSet::new();
        let telling = split(name).filter(is_telling);
        let sets = telling.map(|word| self.with_word.get(word).unwrap_or(&none).clone());
        let all = sets.reduce(|all, with_word| &all & &with_word);
        let numbers = all.into_iter().flatten();
        numbers.map(|number| &self.all[number]).collect()
    }
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
        let mut programs = Programs::default();
        let text = "let set = JoinSet::new(); tokio::join!(a); set.join_next().await";
        programs.add("a", "a.md#a".to_owned(), text);
        let uses = |name: &str| programs.that_use(name).len() == 1;
        assert!(uses("JoinSet::join_next"));
        assert!(uses("join!"));
        assert!(uses("JoinSet"));
        assert!(!uses("JoinMap::join_next"));
        assert!(!uses("JoinSet::join_all"));
        assert!(!uses("futures::future::join_all"));
    }

    #[test]
    fn the_messages_of_a_part_can_be_left_out() {
        let section = |page: &str, message: &str| Section {
            page: page.to_owned(),
            messages: vec![message.to_owned()],
            ..Section::default()
        };
        let sections = [
            section("a/page.md", "no luck"),
            section("b/page.md", "no time"),
        ];
        let both = messages(&sections, None, "");
        assert!(
            both.contains("no luck") && both.contains("no time"),
            "{both}"
        );
        let one = messages(&sections, Some("b"), "");
        assert!(one.contains("no luck") && !one.contains("no time"), "{one}");
    }

    #[test]
    fn a_message_keeps_its_backticks() {
        assert_eq!(verbatim("`a` is bad"), "`` `a` is bad ``");
        assert_eq!(verbatim("no luck"), "`no luck`");
    }
}
