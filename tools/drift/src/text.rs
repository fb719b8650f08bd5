//! Files and their lines, and random choices among them.

use crate::breakage::{Breakage, Check, Edit};
use fastrand::Rng;
use regex::Regex;

/// A file and its text.
#[derive(Debug, Clone)]
pub struct Text {
    /// The file, relative to the book's root.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// A line of a file.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The file.
    pub of: &'a Text,
    /// The line's number, from 1.
    pub number: usize,
    /// The line, without its end.
    pub text: &'a str,
}

impl Text {
    /// All lines.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let lines = self.text.lines().enumerate();
        lines.map(|(at, text)| Line {
            of: self,
            number: at + 1,
            text,
        })
    }

    /// One line, by its number.
    pub fn line(&self, number: usize) -> Option<Line<'_>> {
        self.lines().nth(number.checked_sub(1)?)
    }

    /// The file with more at its end.
    pub fn with_end(&self, end: &str) -> Edit {
        Edit::write(&self.file, format!("{}{end}", self.text))
    }
}

impl<'a> Line<'a> {
    /// The line's place: `src/tasks/waiting.md:12`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.of.file, self.number)
    }

    /// The place of a line further down.
    pub fn place_below(&self, lines: usize) -> String {
        format!("{}:{}", self.of.file, self.number + lines)
    }

    /// The line after this one.
    pub fn next(&self) -> Option<Line<'a>> {
        self.of.line(self.number + 1)
    }

    /// The file with other lines in place of this one, or none.
    pub fn replaced(&self, new: Option<&str>) -> Edit {
        let mut text = String::with_capacity(self.of.text.len());
        for line in self.of.lines() {
            let kept = Some(line.text).filter(|_| line.number != self.number);
            for line in [kept, new.filter(|_| kept.is_none())].into_iter().flatten() {
                text.push_str(line);
                text.push('\n');
            }
        }
        Edit::write(&self.of.file, text)
    }

    /// The file with one more line, or several, after this one.
    pub fn followed_by(&self, more: &str) -> Edit {
        self.replaced(Some(&format!("{}\n{more}", self.text)))
    }

    /// Replaces the line, which the check must name.
    pub fn broken(&self, what: &str, new: &str, check: Check) -> Breakage {
        self.breakage(what, self.replaced(Some(new)), check)
    }

    /// An edit of this line, or one that makes it wrong.
    pub fn breakage(&self, what: &str, edit: Edit, check: Check) -> Breakage {
        let place = self.place();
        Breakage::new(format!("{place} {what}"), edit, check, place)
    }
}

/// One of several, or none of none.
pub fn pick<T>(rng: &mut Rng, from: impl IntoIterator<Item = T>) -> Option<T> {
    rng.choice(from.into_iter().collect::<Vec<_>>())
}

/// A regular expression that is written in the code.
pub fn regex(expression: &str) -> Regex {
    Regex::new(expression).expect("a constant expression")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_replaced_or_removed_and_the_others_stay() {
        let text = Text {
            file: "a.md".into(),
            text: "a\nb\nc\n".into(),
        };
        let line = text.line(2).expect("it has three lines");
        let after = |edit: Edit| edit.text.expect("it is written");
        assert_eq!(after(line.replaced(Some("x\ny"))), "a\nx\ny\nc\n");
        assert_eq!(after(line.replaced(None)), "a\nc\n");
        assert_eq!(after(line.followed_by("x")), "a\nb\nx\nc\n");
        assert_eq!(line.place(), "a.md:2");
    }

    #[test]
    fn the_same_seed_picks_the_same() {
        let picked = |seed| pick(&mut Rng::with_seed(seed), 0..1000);
        assert_eq!(picked(1), picked(1));
        assert_ne!(picked(1), picked(2));
        assert_eq!(pick(&mut Rng::with_seed(1), [0; 0]), None);
    }
}
