//! The search box, and all that it knows.

use super::sections::Section;
use super::words;
use model::ids::heading_id;
use serde_json::{Value, json};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

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
///   there, the questions that lead there, and the beginning of its first sentence;
/// - `aliases`: the words of the aliases, of the other questions, and of the APIs that are linked there first, each with the sections
///   that have it: `0abort 3 9`, in base 36, each counted from the one before. The digit says how many letters are those of the
///   word before;
/// - `stop`: the words that find nothing.
pub fn index(sections: &[Section]) -> Value {
    let mut pages: Vec<(String, &str)> = Vec::new();
    let mut found: Vec<Found<'_>> = Vec::new();
    let mut at: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut first_of_page: BTreeMap<&str, usize> = BTreeMap::new();
    let mut apis: BTreeSet<&str> = BTreeSet::new();
    for section in indexed(sections) {
        let number = found.len();
        if let Entry::Vacant(first) = first_of_page.entry(&section.page) {
            first.insert(number);
            pages.push((section.page.replace(".md", ".html"), &section.page_title));
        }
        at.insert((&section.page, &section.id), number);
        let messages = section.messages.iter().map(String::as_str);
        found.push(Found {
            page: pages.len() - 1,
            section,
            messages: messages
                .filter(|it| *it != section.title.trim_matches('"'))
                .collect(),
            questions: Vec::new(),
            symptoms: Vec::new(),
            apis: section
                .apis
                .iter()
                .map(String::as_str)
                .filter(|api| apis.insert(api))
                .collect(),
        });
    }
    // A question is found where its answer is.
    for (question, link) in sections.iter().flat_map(|section| &section.questions) {
        let (page, id) = link.split_once('#').unwrap_or((link, ""));
        let target = at.get(&(page, id)).or_else(|| first_of_page.get(page));
        if let Some(target) = target {
            let target = &mut found[*target];
            match question.ends_with('?') {
                true => target.questions.push(question),
                false => target.symptoms.push(question),
            }
        }
    }
    let sections: Vec<Value> = found.iter().map(Found::json).collect();
    json!({
        "pages": pages,
        "sections": sections,
        "aliases": lines(&alias_words(&found)),
        "stop": words::STOP,
    })
}

/// The sections that have each word.
type Places = BTreeMap<String, BTreeSet<usize>>;

/// The words of the aliases, and of what is in tables besides questions, that a section doesn't have in its title, questions, or
/// messages. (Whole, they would take twice the room. The words of the text would take a third of the index, and two queries of a
/// hundred in tests/find/ would find more.)
fn alias_words(found: &[Found<'_>]) -> Places {
    let mut aliases = Places::new();
    for (number, entry) in found.iter().enumerate() {
        let said: BTreeSet<String> = entry.names().flat_map(words::of).collect();
        for word in entry.others().flat_map(words::of) {
            if !said.contains(&word) {
                aliases.entry(word).or_default().insert(number);
            }
        }
    }
    aliases
}

/// A section, with all that it's found by besides its text.
struct Found<'a> {
    page: usize,
    section: &'a Section,
    messages: Vec<&'a str>,
    questions: Vec<&'a str>,
    /// What else leads here from the first cell of a table's row.
    symptoms: Vec<&'a str>,
    apis: Vec<&'a str>,
}

impl Found<'_> {
    /// What the index has whole, and finds the section by.
    fn names(&self) -> impl Iterator<Item = &str> {
        let title = self.section.title.as_str();
        let others = self.questions.iter().chain(&self.messages).copied();
        std::iter::once(title).chain(others)
    }

    /// What it's found by besides, word by word.
    fn others(&self) -> impl Iterator<Item = &str> {
        let aliases = self.section.aliases.iter().map(String::as_str);
        // Of a path, the type and the call: all begin with the name of a crate.
        let apis = self.apis.iter().flat_map(|path| path.rsplit("::").take(2));
        aliases.chain(self.symptoms.iter().copied()).chain(apis)
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
            sentence
        ])
    }
}

/// A word with its sections on each line. The letters that it shares with the word before are counted, not repeated.
fn lines(words: &Places) -> String {
    let mut lines = Vec::new();
    let mut before = "";
    for (word, sections) in words {
        let same = word.bytes().zip(before.bytes()).take(9);
        let same = same.take_while(|(one, other)| one == other).count();
        lines.push(format!("{same}{}{}", &word[same..], places(sections)));
        before = word;
    }
    lines.join("\n")
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
    fn a_section_is_found_by_aliases_and_by_questions_that_lead_to_it() {
        let section = Section {
            page: "a.md".to_owned(),
            id: "dropped-tasks".to_owned(),
            title: "Dropped tasks".to_owned(),
            sentence: "A task that is dropped aborts.".to_owned(),
            aliases: vec!["dropped goroutine leave".to_owned()],
            apis: vec!["tokio::task::JoinHandle::abort".to_owned()],
            ..Section::default()
        };
        let link = || "a.md#dropped-tasks".to_owned();
        let hub = Section {
            page: "b.md".to_owned(),
            id: "other".to_owned(),
            title: "Questions".to_owned(),
            questions: vec![
                ("Who aborts?".to_owned(), link()),
                ("a leak of tasks".to_owned(), link()),
            ],
            ..Section::default()
        };
        let see_also = Section {
            title: SEE_ALSO.to_owned(),
            ..Section::default()
        };
        let index = index(&[section, see_also, hub]);
        assert_eq!(
            index["aliases"],
            "0abort 0\n0goroutine 0\n0joinhandle 0\n0leak 0\n3ve 0"
        );
        assert_eq!(
            index["sections"],
            json!([
                [
                    0,
                    "Dropped tasks",
                    0,
                    [],
                    ["Who aborts?"],
                    "A task that is dropped aborts."
                ],
                [1, "Questions", "other", [], [], ""]
            ])
        );
        assert_eq!(index["pages"], json!([["a.html", ""], ["b.html", ""]]));
    }
}
