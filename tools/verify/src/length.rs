//! Finds pages that take too long to read.

use anyhow::{Context, Result};
use model::problem::Problem;
use model::project::Project;
use render::site::Page;
use scraper::{ElementRef, Html, Node, Selector};
use std::fs;
use std::path::Path;

/// What a page may take, in minutes.
pub const LONGEST: f64 = 10.0;

/// Words of prose in a minute.
const WORDS: f64 = 220.0;

/// Lines of a program, or of what it prints, in a minute.
const LINES: f64 = 60.0;

/// What is not read from the first line to the last: it is looked up, folded away, drawn, or pressed.
const NOT_READ: &str =
    "details, script, style, svg, button, form, table.index, nav, .boring, .rows, .timeline";

/// Pages that take longer than [`LONGEST`], each with the heading at which the time is up.
///
/// # Errors
///
/// A built page or its source cannot be read.
pub fn too_long(project: &Project, site: &Path, pages: &[Page]) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for page in pages {
        let html = fs::read_to_string(site.join(&page.html))
            .with_context(|| format!("cannot read the built page {}", page.html.display()))?;
        let reading = Reading::of(&html);
        if reading.minutes() <= LONGEST {
            continue;
        }
        let source = project.read(&page.source)?;
        // An index is looked up, and not read.
        if model::uses::Page::parse(&page.source, &source).has_index() {
            continue;
        }
        let heading = reading.up_at.as_deref().unwrap_or_default();
        let is_there =
            |line: &str| line.starts_with('#') && line.replace('`', "").contains(heading);
        let line = source.lines().position(is_there).unwrap_or_default();
        let message = format!(
            "takes {:.0} minutes to read, and may take {LONGEST} ({} words, {} lines of programs); the time is up \
             in \"{heading}\"; make two pages of it",
            reading.minutes().ceil(),
            reading.words,
            reading.lines
        );
        problems.push(Problem::at(&page.source, line + 1, message));
    }
    Ok(problems)
}

/// What there is to read on a page.
#[derive(Debug, Default)]
struct Reading {
    words: usize,
    lines: usize,
    /// The last heading that is reached in time, where the time is up before the end.
    up_at: Option<String>,
    heading: String,
}

impl Reading {
    fn of(html: &str) -> Self {
        let document = Html::parse_document(html);
        let main = Selector::parse("main").expect("a constant selector");
        let skipped = Selector::parse(NOT_READ).expect("a constant selector");
        let mut reading = Self::default();
        if let Some(main) = document.select(&main).next() {
            reading.add(main, &skipped);
        }
        reading
    }

    fn minutes(&self) -> f64 {
        self.words as f64 / WORDS + self.lines as f64 / LINES
    }

    fn add(&mut self, element: ElementRef<'_>, skipped: &Selector) {
        if skipped.matches(&element) {
            return;
        }
        match element.value().name() {
            "h1" | "h2" | "h3" | "h4" => {
                self.heading = element.text().collect::<String>().trim().to_owned();
            }
            "pre" => {
                self.lines += lines(element, skipped);
                self.look_at_the_clock();
                return;
            }
            _ => {}
        }
        for child in element.children() {
            match child.value() {
                Node::Text(text) => {
                    self.words += text.split_whitespace().count();
                    self.look_at_the_clock();
                }
                Node::Element(_) => {
                    if let Some(child) = ElementRef::wrap(child) {
                        self.add(child, skipped);
                    }
                }
                _ => {}
            }
        }
    }

    fn look_at_the_clock(&mut self) {
        if self.minutes() > LONGEST && self.up_at.is_none() {
            self.up_at = Some(self.heading.clone());
        }
    }
}

/// The lines of a block that are shown and not empty.
fn lines(block: ElementRef<'_>, skipped: &Selector) -> usize {
    let mut shown = String::new();
    add_shown(block, skipped, &mut shown);
    shown.lines().filter(|line| !line.trim().is_empty()).count()
}

fn add_shown(element: ElementRef<'_>, skipped: &Selector, shown: &mut String) {
    for child in element.children() {
        if let Node::Text(text) = child.value() {
            shown.push_str(text);
        } else if let Some(child) = ElementRef::wrap(child).filter(|it| !skipped.matches(it)) {
            add_shown(child, skipped, shown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn an_index_may_be_long() {
        let (book, pages) = book(&words(9000), "");
        book.write("src/page.md", "# Page\n\n{{#index apis a-z}}\n");
        let project = Project::open(book.root()).expect("a book");
        let found = too_long(&project, &book.path("site"), &pages).expect("it can be read");
        assert_eq!(found, []);
    }

    /// A book with a page that has these paragraphs below two headings.
    fn book(first: &str, second: &str) -> (Scratch, [Page; 1]) {
        let book = Scratch::sound();
        book.write(
            "src/page.md",
            "# Page\n\nIt begins.\n\n## First `one`\n\n## Second\n",
        );
        let html = format!(
            "<main><h1>Page</h1><h2>First <code>one</code></h2>{first}<h2>Second</h2>{second}</main>"
        );
        book.write("site/page.html", html);
        let pages = [Page {
            source: "src/page.md".into(),
            html: "page.html".into(),
        }];
        (book, pages)
    }

    /// What is told of a page with these paragraphs below two headings.
    fn told(first: &str, second: &str) -> Vec<String> {
        let (book, pages) = book(first, second);
        let project = Project::open(book.root()).expect("a book");
        let found = too_long(&project, &book.path("site"), &pages).expect("it can be read");
        found.iter().map(ToString::to_string).collect()
    }

    fn words(number: usize) -> String {
        format!("<p>{}</p>", "word ".repeat(number))
    }

    fn program(lines: usize) -> String {
        format!(
            "<pre><code>{}</code></pre>",
            "let it = be();\n\n".repeat(lines)
        )
    }

    #[test]
    fn ten_minutes_are_not_too_long() {
        assert_eq!(told(&words(1090), &program(300)), [""; 0]);
    }

    #[test]
    fn words_and_programs_count_and_the_heading_is_told() {
        assert_eq!(
            told(&words(1650), &program(200)),
            [
                "src/page.md:7: takes 11 minutes to read, and may take 10 (1654 words, 200 lines of programs); \
                 the time is up in \"Second\"; make two pages of it"
            ]
        );
        assert!(told(&program(700), "")[0].starts_with("src/page.md:5: takes 12 minutes"));
    }

    #[test]
    fn what_is_hidden_or_folded_is_not_read() {
        let folded = format!("<details><summary>More</summary>{}</details>", words(9000));
        let hidden = format!(
            "<pre><code>shown();\n<span class=\"boring\">{}</span></code></pre>",
            "hidden();\n".repeat(9000)
        );
        assert_eq!(told(&folded, &hidden), [""; 0]);
    }
}
