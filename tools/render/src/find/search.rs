//! The search box, and all that it knows.

use super::sections::Section;
use super::words;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A word that stands in more of the sections than this part of them finds nothing.
const EVERYWHERE: f64 = 0.4;

/// The box, as HTML, with its index. It works where scripts run; the lists on the page, everywhere.
pub fn html(sections: &[Section]) -> String {
    // A script ends at the first `</`, whatever stands around it.
    let index = index(sections).to_string().replace("</", "<\\/");
    format!(
        "<form id=\"search\" role=\"search\" class=\"needs-script\">\n\
         <label for=\"query\">What do you see, or what do you want to do?</label>\n\
         <input id=\"query\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\">\n\
         <p role=\"status\"></p>\n<ol></ol>\n</form>\n\
         <script type=\"application/json\" id=\"search-index\">{index}</script>\n"
    )
}

/// What can be found: `pages` (address, title), `entries` (page, fragment, kind, title) and `words`, each with
/// the entries that have it in their text: `abort 3 9`, in base 36, each counted from the one before.
///
/// Kinds: `s` a section, `q` a question, `m` a message, `a` an API, `l` a listing.
pub fn index(sections: &[Section]) -> Value {
    let mut pages: Vec<(String, &str)> = Vec::new();
    let mut entries: Vec<Value> = Vec::new();
    let mut texts: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    let mut page_of = |page: &str| -> usize {
        let html = page.replace(".md", ".html");
        let index = pages.iter().position(|(known, _)| *known == html);
        index.unwrap_or_else(|| {
            let is_here = |section: &&Section| section.page == page;
            let first = sections.iter().find(is_here);
            pages.push((html, first.map_or("", |section| &section.page_title)));
            pages.len() - 1
        })
    };
    let mut add = |page: usize, id: &str, kind: &str, title: &str| -> usize {
        entries.push(json!([page, id, kind, title]));
        entries.len() - 1
    };
    for section in sections {
        let page = page_of(&section.page);
        let here = add(page, &section.id, "s", &section.title);
        let mut said: BTreeSet<String> = words::of(&section.title).into_iter().collect();
        for message in &section.messages {
            if *message != section.title.trim_matches('"') {
                add(page, &section.id, "m", message);
            }
        }
        for (question, link) in &section.questions {
            let (target, id) = link.split_once('#').unwrap_or((link, ""));
            let page = page_of(target);
            add(page, id, "q", question);
            said.extend(words::of(question));
        }
        for api in &section.apis {
            if known.insert(("a".to_owned(), api.clone())) {
                add(page, &section.id, "a", api);
            }
        }
        for shown in &section.listings {
            let name = shown.name.to_string();
            if known.insert(("l".to_owned(), name)) {
                let title = format!("{} ({})", shown.caption, shown.name.name);
                add(page, &shown.id, "l", &title);
            }
        }
        // What the title has isn't repeated.
        for word in words::of(&section.text) {
            if !said.contains(&word) && !word.bytes().all(|byte| byte.is_ascii_digit()) {
                texts.entry(word).or_default().insert(here);
            }
        }
    }
    let most = (sections.len() as f64 * EVERYWHERE).ceil() as usize;
    let words: Vec<String> = texts
        .into_iter()
        .filter(|(_, entries)| entries.len() <= most.max(1))
        .map(|(word, entries)| format!("{word}{}", places(&entries)))
        .collect();
    json!({ "pages": pages, "entries": entries, "words": words.join("\n") })
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
    fn the_text_of_a_section_is_found_but_for_what_its_title_has() {
        let section = Section {
            page: "a.md".to_owned(),
            title: "Dropped tasks".to_owned(),
            text: "A task that is dropped aborts, in 429 ms.".to_owned(),
            ..Section::default()
        };
        let index = index(&[section]);
        assert_eq!(index["words"], "abort 0\nms 0");
        assert_eq!(index["entries"], json!([[0, "", "s", "Dropped tasks"]]));
        assert_eq!(index["pages"], json!([["a.html", ""]]));
    }
}
