//! A program's text, cut along its anchors.

use std::ops::Range;

/// How the caption of a listing begins that shows what not to do.
pub const WRONG: &str = "Wrong:";

/// A program that must not compile and has these words, compiles; it is Clippy that refuses it.
pub const CLIPPYS: &str = "#![deny(clippy::";

/// What starts a line of a program that must not compile, if the line belongs in the program's own Cargo.toml.
pub const MANIFEST: &str = "// Cargo.toml: ";

/// A line of a program, and whether the page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// The line without its line end.
    pub text: &'a str,
    /// Whether the reader sees it immediately, or only among the hidden lines.
    pub shown: bool,
}

/// A mistake in the anchors of a listing: its line (from 1 where there is one) and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorError {
    /// The line in the listing; `None` if the anchor isn't there at all.
    pub line: Option<usize>,
    /// What is wrong, and what would fix it.
    pub message: String,
}

/// A listing's text with its anchors understood.
#[derive(Debug)]
pub struct Source<'a> {
    lines: Vec<SourceLine<'a>>,
    anchors: Vec<Anchor<'a>>,
}

#[derive(Debug)]
struct SourceLine<'a> {
    text: &'a str,
    is_mark: bool,
}

#[derive(Debug)]
struct Anchor<'a> {
    name: &'a str,
    /// Indices of the two marks.
    start: usize,
    end: usize,
}

const START: &str = "ANCHOR:";
const END: &str = "ANCHOR_END:";

impl<'a> Source<'a> {
    /// Understands the anchors of a program's text, with either kind of line ends.
    ///
    /// # Errors
    ///
    /// An anchor that is opened twice, never closed, closed without being opened, or has no name.
    pub fn parse(text: &'a str) -> Result<Self, AnchorError> {
        let mut lines = Vec::new();
        let mut anchors: Vec<Anchor<'a>> = Vec::new();
        let mut open: Vec<(&str, usize)> = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let error = |message: String| AnchorError {
                line: Some(index + 1),
                message,
            };
            let comment = text.trim_start().strip_prefix("//").map(str::trim);
            let mark = comment.and_then(|comment| {
                let start = comment.strip_prefix(START).map(|name| (true, name.trim()));
                start.or_else(|| comment.strip_prefix(END).map(|name| (false, name.trim())))
            });
            if let Some((is_start, name)) = mark {
                if name.is_empty() {
                    return Err(error("this anchor has no name".into()));
                }
                if is_start {
                    let known = open.iter().any(|(n, _)| *n == name)
                        || anchors.iter().any(|a| a.name == name);
                    if known {
                        return Err(error(format!("anchor `{name}` is opened twice")));
                    }
                    open.push((name, index));
                } else {
                    let Some(at) = open.iter().position(|(n, _)| *n == name) else {
                        return Err(error(format!(
                            "anchor `{name}` is closed here but was not opened"
                        )));
                    };
                    let (name, start) = open.remove(at);
                    anchors.push(Anchor {
                        name,
                        start,
                        end: index,
                    });
                }
            }
            lines.push(SourceLine {
                text,
                is_mark: mark.is_some(),
            });
        }
        if let Some((name, start)) = open.first() {
            return Err(AnchorError {
                line: Some(start + 1),
                message: format!(
                    "anchor `{name}` is opened here but never closed; add `// {END} {name}`"
                ),
            });
        }
        anchors.sort_by_key(|anchor| anchor.start);
        Ok(Self { lines, anchors })
    }

    /// The names of its anchors, in order.
    pub fn anchors(&self) -> impl Iterator<Item = &'a str> {
        self.anchors.iter().map(|anchor| anchor.name)
    }

    /// The names of its anchors with the lines (from 1) where they open, in order.
    pub fn anchor_lines(&self) -> impl Iterator<Item = (&'a str, usize)> {
        self.anchors
            .iter()
            .map(|anchor| (anchor.name, anchor.start + 1))
    }

    /// The program as a reader copies it: every line that is no anchor.
    pub fn program(&self) -> String {
        let lines = self.lines.iter().filter(|line| !line.is_mark);
        lines.map(|line| format!("{}\n", line.text)).collect()
    }

    /// The same without its tests: what a page holds that does not show them.
    pub fn program_without_tests(&self) -> String {
        let tests = self.tests();
        let lines = self.lines.iter().enumerate();
        lines
            .filter(|(at, line)| !line.is_mark && !tests.contains(at))
            .map(|(_, line)| format!("{}\n", line.text))
            .collect()
    }

    /// The module of its tests; empty where there is none.
    pub fn test_module(&self) -> String {
        let lines = self.lines[self.tests()].iter().filter(|line| !line.is_mark);
        let lines = lines.skip_while(|line| line.text.trim().is_empty());
        lines.map(|line| format!("{}\n", line.text)).collect()
    }

    /// The lines of the module of tests, and the blank ones before it; empty where there is none.
    fn tests(&self) -> Range<usize> {
        let text = |at: usize| self.lines.get(at).map(|line| line.text);
        let is_start = |at: &usize| {
            text(*at) == Some("#[cfg(test)]")
                && text(at + 1).is_some_and(|it| it.starts_with("mod "))
        };
        let Some(start) = (0..self.lines.len()).find(is_start) else {
            return 0..0;
        };
        let end = (start..self.lines.len()).find(|at| text(*at) == Some("}"));
        let Some(end) = end else { return 0..0 };
        let before = self.lines[..start].iter().rev();
        let blank = before.take_while(|line| line.is_mark || line.text.trim().is_empty());
        start - blank.count()..end + 1
    }

    /// Of each line of the file, from the first, its number (from 1) in [`Self::program`]. An anchor has
    /// that of the next line.
    pub fn shown_lines(&self) -> Vec<u32> {
        let mut number = 1;
        let lines = self.lines.iter().map(|line| {
            let here = number;
            number += u32::from(!line.is_mark);
            here
        });
        lines.collect()
    }

    /// The first paragraph of the program's `//!` comment, in one line: its caption.
    pub fn caption(&self) -> Option<String> {
        let texts = self.lines.iter().map(|line| line.text.trim());
        let comment = texts
            .skip_while(|text| text.is_empty())
            .map_while(|text| text.strip_prefix("//!").map(str::trim));
        let paragraph: Vec<_> = comment.take_while(|text| !text.is_empty()).collect();
        (!paragraph.is_empty()).then(|| paragraph.join(" "))
    }

    /// Whether the program shows what not to do.
    pub fn is_mistake(&self) -> bool {
        self.caption().is_some_and(|it| it.starts_with(WRONG))
    }

    /// The program without the anchors' own lines; shown is what the anchor holds, or, without an anchor,
    /// everything but the comment at the top (which becomes the caption) and the tests. Tests of which nothing
    /// is shown are left out: who copies the program has no use for them, and a page is half as long.
    ///
    /// # Errors
    ///
    /// An anchor that does not exist or shows nothing.
    pub fn cut(&self, anchor: Option<&str>) -> Result<Vec<Line<'a>>, AnchorError> {
        let tests = self.tests();
        let shown = match anchor {
            None => {
                let comment = self
                    .lines
                    .iter()
                    .take_while(|line| line.text.starts_with("//!") || line.text.trim().is_empty())
                    .count();
                comment..if tests.is_empty() {
                    self.lines.len()
                } else {
                    tests.start
                }
            }
            Some(name) => {
                let Some(anchor) = self.anchors.iter().find(|a| a.name == name) else {
                    let known: Vec<_> = self.anchors().map(|a| format!("`{a}`")).collect();
                    let known = match known.as_slice() {
                        [] => "it has none".to_owned(),
                        names => format!("it has {}", names.join(", ")),
                    };
                    return Err(AnchorError {
                        line: None,
                        message: format!("there is no anchor `{name}`; {known}"),
                    });
                };
                anchor.start..anchor.end
            }
        };
        let shows_tests = shown.start < tests.end && tests.start < shown.end;
        let is_left_out = |at: &usize| !shows_tests && tests.contains(at);
        let lines: Vec<_> = self
            .lines
            .iter()
            .enumerate()
            .filter(|(at, line)| !line.is_mark && !is_left_out(at))
            .map(|(at, line)| Line {
                text: line.text,
                shown: shown.contains(&at),
            })
            .collect();
        if !lines.iter().any(|line| line.shown && is_code(line.text)) {
            let line = anchor.map(|_| shown.start + 1);
            let what = anchor.map_or("the program".to_owned(), |name| format!("anchor `{name}`"));
            return Err(AnchorError {
                line,
                message: format!(
                    "{what} holds no code, only comments or blank lines: there is nothing to show"
                ),
            });
        }
        Ok(lines)
    }
}

/// Whether a line has more than a comment.
fn is_code(line: &str) -> bool {
    let line = line.trim();
    let is_block = line.starts_with("/*") && line.find("*/").is_none_or(|at| at + 2 == line.len());
    !(line.is_empty() || line.starts_with("//") || is_block)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "//! Say hello.\n\nfn main() {\n    // ANCHOR: body\n    println!(\"hello\");\n    // ANCHOR_END: body\n}\n";

    fn shown(text: &str, anchor: Option<&str>) -> Vec<String> {
        let source = Source::parse(text).unwrap();
        let lines = source.cut(anchor).unwrap();
        lines
            .iter()
            .filter(|l| l.shown)
            .map(|l| l.text.to_owned())
            .collect()
    }

    #[test]
    fn cuts_along_an_anchor_and_keeps_the_rest_hidden() {
        let source = Source::parse(PROGRAM).unwrap();
        let lines = source.cut(Some("body")).unwrap();
        let all: Vec<_> = lines.iter().map(|l| l.text).collect();
        assert_eq!(
            all,
            [
                "//! Say hello.",
                "",
                "fn main() {",
                "    println!(\"hello\");",
                "}"
            ]
        );
        assert_eq!(shown(PROGRAM, Some("body")), ["    println!(\"hello\");"]);
    }

    #[test]
    fn tests_are_left_out_unless_they_are_shown() {
        let text = "//! A\n// ANCHOR: a\nfn main() {}\n// ANCHOR_END: a\n\n#[cfg(test)]\nmod tests {\n\
                    // ANCHOR: b\n    fn b() {}\n// ANCHOR_END: b\n}\n";
        let lines = |anchor| {
            let lines = Source::parse(text).unwrap().cut(anchor).unwrap();
            lines
                .iter()
                .map(|line| line.text.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(Some("a")), ["//! A", "fn main() {}"]);
        assert_eq!(lines(None), ["//! A", "fn main() {}"]);
        assert_eq!(
            lines(Some("b")),
            [
                "//! A",
                "fn main() {}",
                "",
                "#[cfg(test)]",
                "mod tests {",
                "    fn b() {}",
                "}"
            ]
        );
        let source = Source::parse(text).unwrap();
        assert_eq!(source.program_without_tests(), "//! A\nfn main() {}\n");
        assert_eq!(shown(text, None), ["fn main() {}"]);
    }

    #[test]
    fn lines_are_counted_without_anchors() {
        let source = Source::parse(PROGRAM).unwrap();
        assert_eq!(source.shown_lines(), [1, 2, 3, 4, 4, 5, 5]);
    }

    #[test]
    fn shows_all_but_the_caption_without_an_anchor() {
        assert_eq!(
            Source::parse(PROGRAM).unwrap().caption().as_deref(),
            Some("Say hello.")
        );
        assert_eq!(
            shown(PROGRAM, None),
            ["fn main() {", "    println!(\"hello\");", "}"]
        );
    }

    #[test]
    fn a_caption_is_the_first_paragraph() {
        let caption = |text| Source::parse(text).unwrap().caption();
        let text = "\n//! Say hello,\n//! twice.\n//!\n//! Then end.\n\nfn main() {}\n";
        assert_eq!(caption(text).as_deref(), Some("Say hello, twice."));
        for none in ["//!\n//! Late.\n", "use std::io;\n//! Late.\n", ""] {
            assert_eq!(caption(none), None, "{none}");
        }
    }

    #[test]
    fn windows_line_ends_make_no_difference() {
        assert_eq!(
            shown(&PROGRAM.replace('\n', "\r\n"), Some("body")),
            ["    println!(\"hello\");"]
        );
    }

    #[test]
    fn anchors_may_nest_and_cross() {
        let text = "// ANCHOR: a\n1\n// ANCHOR: b\n2\n// ANCHOR_END: a\n3\n// ANCHOR_END: b\n";
        assert_eq!(shown(text, Some("a")), ["1", "2"]);
        assert_eq!(shown(text, Some("b")), ["2", "3"]);
    }

    #[test]
    fn a_misspelt_anchor_lists_those_there_are() {
        let error = Source::parse(PROGRAM)
            .unwrap()
            .cut(Some("bodi"))
            .unwrap_err();
        assert_eq!(error.message, "there is no anchor `bodi`; it has `body`");
    }

    #[test]
    fn an_anchor_without_code_is_an_error_at_its_line() {
        for held in [
            "",
            "\n",
            "    // Later.\n",
            "/// Doc.\n\n",
            "/* a */\n// b\n",
        ] {
            let text = format!("fn main() {{}}\n// ANCHOR: a\n{held}// ANCHOR_END: a\n");
            let source = Source::parse(&text).unwrap();
            let error = source.cut(Some("a")).expect_err("it holds no code");
            assert_eq!(error.line, Some(2), "{held}");
            assert_eq!(
                error.message,
                "anchor `a` holds no code, only comments or blank lines: there is nothing to show"
            );
        }
        for held in ["#[test]\n", "x(); // y\n", "/* a */ x();\n", "}\n"] {
            let text = format!("// ANCHOR: a\n{held}// ANCHOR_END: a\n");
            assert!(
                Source::parse(&text).unwrap().cut(Some("a")).is_ok(),
                "{held}"
            );
        }
        let caption = Source::parse("//! Only this.\n// TODO\n").unwrap();
        assert_eq!(caption.cut(None).unwrap_err().line, None);
    }

    #[test]
    fn unbalanced_anchors_are_errors_at_their_line() {
        let line = |text: &str| Source::parse(text).unwrap_err().line;
        assert_eq!(line("x\n// ANCHOR: a\n"), Some(2));
        assert_eq!(line("// ANCHOR_END: a\n"), Some(1));
        assert_eq!(line("// ANCHOR: a\n// ANCHOR: a\n"), Some(2));
        assert_eq!(line("// ANCHOR:\n"), Some(1));
    }
}
