//! The book as a skill that coding agents load: a short `SKILL.md`, and a file of references for each part.
//!
//! Rules come first. From a page come its paragraph "In short", one whole program with its output, and a line for each
//! of its mistakes; a page that shows parts of a crate has the first of them instead of a program, and a page without code, such as
//! a table, is included as it is. The format is that of <https://agentskills.io>.

pub mod check;
mod page;
mod programs;

use crate::book::{Book, Page};
use crate::markdown;
use crate::site::write_files;
use anyhow::{Context, Result};
use model::ids::heading_id;
use model::{Project, manifest};
use page::{SEE_ALSO, below, choices, local_markdown, paragraphs};
use programs::{Kind, crate_code, excerpt, listings, mistakes, programs};
use render::expand::Expander;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

/// The skill's folder, relative to the book's root. It has the skill's name.
pub const FOLDER: &str = "skills/rust-async-patterns";

/// The command that writes it.
pub const COMMAND: &str = "cargo book skill";

/// The first file that an agent reads, with directives and the placeholders below.
const TEMPLATE: &str = include_str!("../../skill/SKILL.md");

/// The placeholder in [`TEMPLATE`] for the list of the references.
const REFERENCES: &str = "@references@";

/// The placeholder for the rules, which are headings on [`RULES_PAGE`].
const RULES: &str = "@rules@";

/// The placeholder for the symptoms, which are headings on [`SYMPTOMS_PAGE`].
const SYMPTOMS: &str = "@symptoms@";

/// The page whose headings of the third level are the rules.
const RULES_PAGE: &str = "practices/index.html";

/// The page whose headings of the second level are the symptoms.
const SYMPTOMS_PAGE: &str = "debugging/symptoms.html";

/// Pages that are useful only on paper or in a browser.
const EXCLUDED: &[&str] = &["practices/cheat_sheet.html"];

/// The files of the skill, by their paths in [`FOLDER`].
///
/// Fails if a listing, its output, or a manifest cannot be read.
pub fn files(project: &Project, book: &Book) -> Result<BTreeMap<String, String>> {
    let parts = parts(book);
    let mut files = BTreeMap::new();
    for part in &parts {
        let text = reference(project, &parts, part)?;
        files.insert(format!("references/{}", part.file()), text);
    }
    files.insert(
        "references/manifest.md".to_owned(),
        format!(
            "# One manifest for every program of this skill\n\n```toml\n{}```\n",
            manifest::shown(project, manifest::ALL)?
        ),
    );
    files.insert("SKILL.md".to_owned(), first_file(project, book, &parts)?);
    Ok(files)
}

/// Writes the skill, and removes the files that no longer belong to it.
///
/// # Errors
///
/// As [`files`]; or a file cannot be written.
pub fn write(project: &Project, book: &Book) -> Result<usize> {
    let files = files(project, book)?;
    let folder = project.root().join(FOLDER);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {FOLDER}"))?;
    }
    write_files(&folder, &files)?;
    Ok(files.len())
}

/// A part of the book: its opening page, and the pages below.
struct Part<'a> {
    /// The folder of its pages.
    name: String,
    title: &'a str,
    pages: Vec<&'a Page>,
}

impl Part<'_> {
    fn file(&self) -> String {
        format!("{}.md", self.name)
    }
}

/// The parts, in the order of the book.
fn parts(book: &Book) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for item in book.contents.iter().flat_map(|item| &item.children) {
        let pages: Vec<&Page> = std::iter::once(item)
            .chain(&item.children)
            .filter_map(|item| book.pages.get(item.page?))
            .filter(|page| !EXCLUDED.contains(&page.html.as_str()))
            .collect();
        if let Some(name) = pages
            .first()
            .and_then(|first| first.html.strip_suffix("/index.html"))
        {
            parts.push(Part {
                name: name.to_owned(),
                title: &item.title,
                pages,
            });
        }
    }
    parts
}

fn first_file(project: &Project, book: &Book, parts: &[Part<'_>]) -> Result<String> {
    let expanded = Expander::new(project, None)
        .expand("tools/export/skill/SKILL.md", TEMPLATE)
        .map_err(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{}", problems.join("\n"))
        })?;
    let mut references = String::new();
    for part in parts {
        let about = part.pages.iter().skip(1).map(|page| page.title.as_str());
        let about: Vec<_> = about.collect();
        let _ = writeln!(
            references,
            "- [references/{file}](references/{file}): **{title}**. {}",
            about.join("; "),
            file = part.file(),
            title = part.title,
        );
    }
    let sections = |html: &str, level: &str| -> Vec<(String, String)> {
        let page = book.page(html).map(|page| local_markdown(page, parts));
        let text = page.unwrap_or_default();
        let start = format!("\n{level} ");
        let sections = text.split(&start).skip(1);
        let sections = sections.map(|it| it.split_once('\n').unwrap_or((it, "")));
        let first = |rest| paragraphs(rest).next().unwrap_or_default().to_owned();
        sections
            .filter(|(heading, _)| *heading != SEE_ALSO)
            .map(|(heading, rest)| (heading.trim().to_owned(), first(rest)))
            .collect()
    };
    let mut rules = String::new();
    for (rule, reason) in sections(RULES_PAGE, "###") {
        let reason = reason.replace("](", "](references/");
        let _ = writeln!(rules, "- **{rule}.** {reason}");
    }
    let mut symptoms = String::new();
    for (symptom, _) in sections(SYMPTOMS_PAGE, "##") {
        let id = heading_id(&symptom);
        let _ = writeln!(symptoms, "- [{symptom}](references/debugging.md#{id})");
    }
    let text = markdown::plain(&expanded)
        .replace(REFERENCES, references.trim_end())
        .replace(RULES, rules.trim_end())
        .replace(SYMPTOMS, symptoms.trim_end());
    Ok(text)
}

/// A part's file.
fn reference(project: &Project, parts: &[Part<'_>], part: &Part<'_>) -> Result<String> {
    let mut text = format!("# {}\n", part.title);
    // A part without programs of its own may show those of others.
    let manifest = match project.has(&manifest::file(&part.name)) {
        true => &part.name,
        false => manifest::ALL,
    };
    let is_right = |page: &&Page| {
        listings(&page.expanded)
            .iter()
            .any(|it| it.kind == Kind::Right)
    };
    if part.pages.iter().any(is_right) {
        let _ = write!(
            text,
            "\nManifest for the programs of this file, which print what stands below them:\n\n```toml\n{}```\n",
            manifest::shown(project, manifest)?
        );
    }
    for page in &part.pages {
        let listings = listings(&page.expanded);
        let of_page = local_markdown(page, parts);
        let is_right = listings.iter().any(|found| found.kind == Kind::Right);
        let code = crate_code(&page.expanded).filter(|_| !is_right);
        if is_right || code.is_some() {
            let _ = write!(text, "\n## {}\n\n", page.heading());
            let short = paragraphs(&of_page).find(|it| it.starts_with("**In short:**"));
            if let Some(short) = short {
                let _ = write!(text, "{short}\n\n");
            }
            if let Some(code) = code {
                excerpt(project, &code, &mut text)?;
            }
            programs(project, &listings, &mut text)?;
            mistakes(project, &listings, &mut text)?;
            for table in choices(&of_page) {
                let _ = write!(text, "{table}\n\n");
            }
        } else {
            let _ = write!(text, "\n## {}\n{}", page.heading(), below(&of_page));
        }
    }
    Ok(markdown::collapse_empty_lines(&text))
}
