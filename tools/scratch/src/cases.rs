//! Cases of a test in a data file: `=== ` and the name of a case, then its sections, each `-- name --` and its lines.

use crate::Scratch;

/// A case: the files of a book, and what is expected of it.
pub struct Case {
    /// What it is about.
    pub name: String,
    sections: Vec<(String, String)>,
}

/// The cases in a data file. Blank lines at the end of a section don't count.
pub fn cases(text: &str) -> Vec<Case> {
    let text = format!("\n{text}");
    let cases = text.split("\n=== ").skip(1).map(|case| {
        let mut sections = case.split("\n-- ");
        let name = sections.next().unwrap_or_default().trim().to_owned();
        let sections = sections.map(|section| {
            let section = format!("{section}\n");
            let (name, text) = section.split_once(" --\n").expect("a section's name ends");
            let text = text.trim_end();
            let end = if text.is_empty() { "" } else { "\n" };
            (name.to_owned(), format!("{text}{end}"))
        });
        Case {
            name,
            sections: sections.collect(),
        }
    });
    cases.collect()
}

impl Case {
    /// The text of a section; empty if there is none.
    pub fn get(&self, name: &str) -> &str {
        let mut sections = self.sections.iter();
        let found = sections.find(|(known, _)| known == name);
        found.map_or("", |(_, text)| text)
    }

    /// The sections with their names, in their order.
    pub fn sections(&self) -> impl Iterator<Item = (&str, &str)> {
        let sections = self.sections.iter();
        sections.map(|(name, text)| (&**name, &**text))
    }

    /// Writes the files of the case.
    pub fn write_to(&self, book: &Scratch) {
        for (name, text) in self.sections() {
            write_section(book, name, text);
        }
    }

    /// A sound book with the files of the case.
    pub fn book(&self) -> Scratch {
        let book = Scratch::sound();
        self.write_to(&book);
        book
    }
}

/// Writes a section that is named by its file (`src/page.md`), or by `bytes FILE` with escapes such as `\xff` in its text, or
/// does as `remove FILE` says; whether it was one of these.
pub fn write_section(book: &Scratch, name: &str, text: &str) -> bool {
    match name.split_once(' ') {
        Some(("remove", file)) => book.remove(file),
        Some(("bytes", file)) => book.write(file, unescaped(text.trim_end())),
        None if name.contains('.') => book.write(name, text),
        _ => return false,
    }
    true
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut pieces = text.split("\\x");
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).expect("two digits"));
        bytes.extend(piece[2..].bytes());
    }
    bytes
}

/// Whether a text is the expected one, or starts with it if that ends in `...`.
pub fn is_like(text: &str, expected: &str) -> bool {
    match expected.strip_suffix("...") {
        Some(start) => text.starts_with(start),
        None => text == expected,
    }
}

/// The first of these lines that a text doesn't contain after the lines before it.
pub fn missing_line<'a>(text: &str, lines: &'a str) -> Option<&'a str> {
    let mut rest = text;
    lines.lines().find(|line| match rest.split_once(line) {
        Some((_, after)) => {
            rest = after;
            false
        }
        None => true,
    })
}
