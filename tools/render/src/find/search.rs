//! The search box, and all that it knows.

use super::sections::Section;
use super::words;
use model::ids::heading_id;
use serde_json::{Value, json};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// A word that stands in the text of more than this part of the sections hardly tells them apart, so only titles, questions, aliases,
/// and first sentences are found by it. (At 0.05, the index is 17 kB larger, and one in a hundred queries finds more.)
const EVERYWHERE: f64 = 0.012;

/// How many words of its text a section is found by: the rarest.
const MOST_WORDS: usize = 20;

/// A heading that leads elsewhere, and isn't looked for.
const SEE_ALSO: &str = "See also";

/// The sections that the index knows.
pub fn indexed(sections: &[Section]) -> impl Iterator<Item = &Section> {
    sections.iter().filter(|it| it.title != SEE_ALSO)
}

/// The place of the results on the page "Find", and the index, as HTML. (The box itself is in the header of every page:
/// theme/index.hbs.) It works where scripts run; the lists on the page, everywhere.
pub fn html(sections: &[Section]) -> String {
    // A script ends at the first `</`, whatever stands around it.
    let index = index(sections).to_string().replace("</", "<\\/");
    format!("<script type=\"application/json\" id=\"search-index\">{index}</script>\n")
}

/// The index:
///
/// - `pages`: the address and the title of each;
/// - `sections`: for each heading its page, its title, its fragment (0 if it's the title's), the messages that are quoted or printed
///   there, the questions that lead there, the APIs that are linked there first, and the beginning of its first sentence;
/// - `aliases`: the words of the aliases, each with the sections that have it: `abort 3 9`, in base 36, each counted from the one
///   before;
/// - `words`: the other words, those of its programs' captions and names included, in the same way;
/// - `stop`: the words that find nothing.
pub fn index(sections: &[Section]) -> Value {
    let mut pages: Vec<(String, &str)> = Vec::new();
    let mut found: Vec<Found<'_>> = Vec::new();
    let mut at: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut first_of_page: BTreeMap<&str, usize> = BTreeMap::new();
    let mut apis: BTreeSet<&str> = BTreeSet::new();
    let mut programs: BTreeSet<String> = BTreeSet::new();
    for section in indexed(sections) {
        let number = found.len();
        if let Entry::Vacant(first) = first_of_page.entry(&section.page) {
            first.insert(number);
            pages.push((section.page.replace(".md", ".html"), &section.page_title));
        }
        at.insert((&section.page, &section.id), number);
        let messages = section.messages.iter().map(String::as_str);
        let captions = section.listings.iter().filter_map(|shown| {
            let is_new = programs.insert(shown.name.to_string());
            is_new.then(|| format!(" {} {}", shown.caption, shown.name.name))
        });
        found.push(Found {
            page: pages.len() - 1,
            section,
            messages: messages
                .filter(|it| *it != section.title.trim_matches('"'))
                .collect(),
            questions: Vec::new(),
            apis: section
                .apis
                .iter()
                .map(String::as_str)
                .filter(|api| apis.insert(api))
                .collect(),
            captions: captions.collect(),
        });
    }
    // A question is found where its answer is.
    for (question, link) in sections.iter().flat_map(|section| &section.questions) {
        let (page, id) = link.split_once('#').unwrap_or((link, ""));
        let target = at.get(&(page, id)).or_else(|| first_of_page.get(page));
        if let Some(target) = target {
            found[*target].questions.push(question);
        }
    }
    let sections: Vec<Value> = found.iter().map(Found::json).collect();
    json!({
        "pages": pages,
        "sections": sections,
        "aliases": lines(&alias_words(&found)),
        "words": lines(&rare_words(&found)),
        "stop": words::STOP,
    })
}

/// The sections that have each word.
type Places = BTreeMap<String, BTreeSet<usize>>;

/// The words of the aliases that a section doesn't have in its title, questions, or messages.
fn alias_words(found: &[Found<'_>]) -> Places {
    let mut aliases = Places::new();
    for (number, entry) in found.iter().enumerate() {
        let said: BTreeSet<String> = entry.names().flat_map(words::of).collect();
        for word in words::of(&entry.section.aliases.join(" ")) {
            if !said.contains(&word) {
                aliases.entry(word).or_default().insert(number);
            }
        }
    }
    aliases
}

/// The words of the texts that tell the sections apart, each with the sections that are found by it.
fn rare_words(found: &[Found<'_>]) -> Places {
    let most = ((found.len() as f64 * EVERYWHERE).ceil() as usize).max(1);
    let mut texts = Places::new();
    for (number, entry) in found.iter().enumerate() {
        // What the rest of the index has isn't repeated.
        let said: BTreeSet<String> = entry.said().flat_map(words::of).collect();
        for word in words::of(&(entry.section.text.clone() + &entry.captions)) {
            if !said.contains(&word) && !word.bytes().all(|byte| byte.is_ascii_digit()) {
                texts.entry(word).or_default().insert(number);
            }
        }
    }
    texts.retain(|_, sections| sections.len() <= most);
    let mut of_section: Vec<Vec<(usize, &str)>> = vec![Vec::new(); found.len()];
    for (word, sections) in &texts {
        for section in sections {
            of_section[*section].push((sections.len(), word));
        }
    }
    let mut rare = Places::new();
    for (number, mut words) in of_section.into_iter().enumerate() {
        words.sort_unstable();
        for (_, word) in words.into_iter().take(MOST_WORDS) {
            rare.entry(word.to_owned()).or_default().insert(number);
        }
    }
    rare
}

/// A section, with all that it's found by besides its text.
struct Found<'a> {
    page: usize,
    section: &'a Section,
    messages: Vec<&'a str>,
    questions: Vec<&'a str>,
    apis: Vec<&'a str>,
    captions: String,
}

impl Found<'_> {
    /// What the index has whole, and finds the section by.
    fn names(&self) -> impl Iterator<Item = &str> {
        let title = self.section.title.as_str();
        let others = self.questions.iter().chain(&self.messages).copied();
        std::iter::once(title).chain(others)
    }

    /// What its text needn't repeat.
    fn said(&self) -> impl Iterator<Item = &str> {
        let aliases = self.section.aliases.iter().map(String::as_str);
        self.names()
            .chain([self.section.sentence.as_str()])
            .chain(aliases)
    }

    fn json(&self) -> Value {
        let Section {
            title,
            id,
            sentence,
            ..
        } = self.section;
        let id = match *id == heading_id(title) {
            true => json!(0),
            false => json!(id),
        };
        json!([
            self.page,
            title,
            id,
            self.messages,
            self.questions,
            self.apis,
            sentence
        ])
    }
}

/// A word with its sections on each line.
fn lines(words: &Places) -> String {
    let lines = words
        .iter()
        .map(|(word, sections)| format!("{word}{}", places(sections)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Numbers in order, each as the distance from the one before, in base 36: ` 3 6`.
fn places(entries: &BTreeSet<usize>) -> String {
    let mut text = String::new();
    let mut before = 0;
    for entry in entries {
        text.push(' ');
        text.push_str(&base36(entry - before));
        before = *entry;
    }
    text
}

fn base36(mut number: usize) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = (number % 36) as u32;
        digits.extend(char::from_digit(digit, 36));
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_short() {
        assert_eq!(places(&BTreeSet::from([3, 9, 45])), " 3 6 10");
        assert_eq!(base36(0), "0");
    }

    #[test]
    fn a_script_cannot_end_early() {
        let section = Section {
            title: "Why </script> ends".to_owned(),
            ..Section::default()
        };
        let html = html(&[section]);
        assert_eq!(html.matches("</script>").count(), 1);
    }

    #[test]
    fn a_section_is_found_by_its_text_and_by_questions_that_lead_to_it() {
        let section = Section {
            page: "a.md".to_owned(),
            id: "dropped-tasks".to_owned(),
            title: "Dropped tasks".to_owned(),
            text: "A task that is dropped aborts, in 429 ms.".to_owned(),
            ..Section::default()
        };
        let hub = Section {
            page: "b.md".to_owned(),
            id: "other".to_owned(),
            title: "Questions".to_owned(),
            questions: vec![("Who aborts?".to_owned(), "a.md#dropped-tasks".to_owned())],
            ..Section::default()
        };
        let index = index(&[section, hub]);
        assert_eq!(index["words"], "ms 0\ntask 0");
        assert_eq!(
            index["sections"],
            json!([
                [0, "Dropped tasks", 0, [], ["Who aborts?"], [], ""],
                [1, "Questions", "other", [], [], [], ""]
            ])
        );
        assert_eq!(index["pages"], json!([["a.html", ""], ["b.html", ""]]));
    }
}
