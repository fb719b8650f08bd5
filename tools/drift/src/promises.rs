//! The promises, and the ways to break them that `promises.toml` lists.

use crate::breakage::{Breakage, Check};
use crate::rows;
use crate::snapshot::{BookSnapshot, Program};
use crate::text::{Line, Text, pick, regex};
use anyhow::{Context, Result};
use fastrand::Rng;
use model::ProgramId;
use model::output::DATABASE_URL;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::env;

/// Replaces the word PROGRAM in texts.
const PROGRAM: &str = "fn main() {\n    let order = 7;\n    println!(\"{order}\");\n}";

/// A way in which a book and its code drift apart, which the book promises to notice.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// What someone does.
    pub breach: String,
    sample: Option<usize>,
    #[serde(default)]
    replace: Vec<Replace>,
    #[serde(default)]
    insert: Vec<Insert>,
}

/// All of them; the first has the number 1.
///
/// Fails if the file isn't what it should be.
pub fn promises() -> Result<Vec<Promise>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Promises {
        promise: Vec<Promise>,
    }
    let all: Promises =
        toml::from_str(include_str!("promises.toml")).context("cannot read promises.toml")?;
    Ok(all.promise)
}

impl Promise {
    /// Ways to break the promise with this number, at random places; some of them only a sample, unless `all` are wanted.
    ///
    /// Fails if the book has no place for one of the ways, so that it would disappear silently.
    pub fn breakages(
        &self,
        number: usize,
        snapshot: &BookSnapshot,
        rng: &mut Rng,
        all: bool,
    ) -> Result<Vec<Breakage>> {
        let mut breakages = Vec::new();
        for row in &self.replace {
            // Without a server, the outputs on PostgreSQL aren't compared.
            if row.lines == POSTGRESQL_OUTPUTS && env::var_os(DATABASE_URL).is_none() {
                continue;
            }
            // Until a page shows a part of a crate.
            let has_crate = |page: &Text| page.text.contains("{{#source ");
            if row.lines == PAGES_WITH_CRATES && !snapshot.pages.iter().any(has_crate) {
                continue;
            }
            let breakage = row.breakage(snapshot, rng);
            breakages.push(breakage.with_context(|| {
                format!("promise {number}: no line of {} {}", row.lines, row.what)
            })?);
        }
        for row in &self.insert {
            for text in &row.texts {
                let breakage = inserted(row, text, snapshot, rng);
                breakages.push(breakage.context("no page has a heading")?);
            }
        }
        let limit = self.sample.filter(|_| !all).unwrap_or(usize::MAX);
        let special = rows::special(number, snapshot, rng);
        for (at, breakage) in special.into_iter().take(limit).enumerate() {
            breakages.push(breakage.with_context(|| {
                format!("promise {number}: there is no place for breakage {at} of rows/")
            })?);
        }
        Ok(breakages)
    }
}

/// The group of lines that takes a server to compare.
const POSTGRESQL_OUTPUTS: &str = "PostgreSQL outputs";

/// The pages, in a row that only concerns a book that shows parts of a crate's files.
const PAGES_WITH_CRATES: &str = "pages with crates";

/// One line is changed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replace {
    what: String,
    lines: String,
    find: String,
    with: String,
    test: String,
    #[serde(default)]
    below: usize,
    report: Option<String>,
    #[serde(default)]
    words: String,
}

/// Texts are written below headings of pages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Insert {
    texts: Vec<String>,
    test: String,
    #[serde(default)]
    below: usize,
}

impl Replace {
    fn breakage(&self, snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
        let find = regex(&self.find);
        let texts = texts(snapshot, &self.lines);
        let mut fitting = Vec::new();
        for (name, text) in &texts {
            let reported = match &self.report {
                Some(report) => Some(reported(report, name.as_ref(), text)?),
                None => None,
            };
            if self.report.as_deref() == Some("timeline") && !has_timeline(snapshot, name.as_ref()?)
            {
                continue;
            }
            if self.report.as_deref() == Some("output") && !snapshot.project.has(reported.as_ref()?)
            {
                continue;
            }
            for line in lines(snapshot, &self.lines, name.as_ref(), text) {
                if find.is_match(line.text) {
                    fitting.push((name, line, reported.clone()));
                }
            }
        }
        let (name, line, reported) = pick(rng, fitting)?;
        let new = find.replace(line.text, &self.with);
        let test = check(&self.test, name.as_ref(), &line, snapshot, rng)?;
        let breakage = line.broken(&self.what, &new, test);
        let place = reported.unwrap_or_else(|| line.place_below(self.below));
        Some(breakage.reported_at(place).with_words(&self.words))
    }
}

/// A text below some heading.
fn inserted(row: &Insert, text: &str, snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    let headings = snapshot.pages.iter().flat_map(Text::lines);
    let heading = pick(rng, headings.filter(|line| line.text.starts_with('#')))?;
    let place = heading.place_below(2 + row.below);
    let what = format!("{place} has: {}", text.lines().next()?);
    let edit = heading.replaced(&format!(
        "{}\n\n{}",
        heading.text,
        text.replace("PROGRAM", PROGRAM)
    ));
    let test = check(&row.test, None, &heading, snapshot, rng)?;
    Some(Breakage::new(what, edit, test, place))
}

/// The texts of a group, and the listings that they belong to.
fn texts(snapshot: &BookSnapshot, group: &str) -> Vec<(Option<ProgramId>, Text)> {
    let sources = |programs: &[Program]| -> Vec<_> {
        let sources = programs.iter();
        sources
            .map(|it| (Some(it.name.clone()), it.source.clone()))
            .collect()
    };
    let outputs = |programs: &[Program]| -> Vec<_> {
        let outputs = programs.iter();
        outputs
            .filter_map(|it| Some((Some(it.name.clone()), it.output.clone()?)))
            .collect()
    };
    let none = |text: Text| (None, text);
    match group {
        "pages" | PAGES_WITH_CRATES => snapshot.pages.iter().cloned().map(none).collect(),
        "message tables" => {
            let has_table = |page: &&Text| page.text.contains("\n| Message |");
            snapshot
                .pages
                .iter()
                .filter(has_table)
                .cloned()
                .map(none)
                .collect()
        }
        "sources" | "visible code" | "printed text" => sources(&snapshot.listings),
        "outputs" => outputs(&snapshot.listings),
        POSTGRESQL_OUTPUTS => {
            let names = snapshot.listings.iter().map(|it| &it.name);
            let has_one = |name: &&ProgramId| snapshot.project.has(&name.postgresql_output());
            let names = names.filter(has_one);
            names
                .map(|name| (Some(name.clone()), snapshot.file(name.postgresql_output())))
                .collect()
        }
        "timelines" => {
            let names = snapshot.listings.iter().map(|it| it.name.clone());
            let timelines = names.map(|name| (snapshot.file(name.timeline()), name));
            timelines.map(|(text, name)| (Some(name), text)).collect()
        }
        "compile_fail" => sources(&snapshot.compile_fail),
        "compiler messages" => outputs(&snapshot.compile_fail),
        "unstable" => sources(&snapshot.unstable),
        "unstable outputs" => outputs(&snapshot.unstable),
        folder if folder.ends_with('/') => snapshot.folder(folder).into_iter().map(none).collect(),
        file => vec![none(snapshot.file(file))],
    }
}

/// The lines of a text that belong to a group.
fn lines<'a>(
    snapshot: &BookSnapshot,
    group: &str,
    name: Option<&ProgramId>,
    text: &'a Text,
) -> Vec<Line<'a>> {
    let listing = snapshot.listings.iter().find(|it| Some(&it.name) == name);
    match (group, listing) {
        ("visible code", Some(listing)) => {
            let visible = snapshot.visible(listing);
            let is_visible = |line: &Line<'_>| visible.contains(&line.number);
            text.lines().filter(is_visible).collect()
        }
        ("printed text", Some(listing)) => {
            let output = listing.output.iter().flat_map(Text::lines);
            let output: BTreeSet<_> = output.map(|line| line.text).collect();
            let is_printed = |line: &Line<'_>| {
                let printed = line.text.trim().strip_prefix("println!(\"");
                let printed = printed.and_then(|text| text.strip_suffix("\");"));
                printed.is_some_and(|text| output.contains(text))
            };
            text.lines().filter(is_printed).collect()
        }
        _ => text.lines().collect(),
    }
}

/// The place that a message must name instead of the line that is changed.
fn reported(report: &str, name: Option<&ProgramId>, text: &Text) -> Option<String> {
    Some(match report {
        "file" => text.file.clone(),
        "source" => name?.source(),
        "output" => name?.output(),
        "timeline" => name?.timeline(),
        "stderr" => name?.stderr(),
        "unstable output" => name?.unstable_output(),
        _ => return None,
    })
}

/// Whether a listing has a timeline, which alone notices one more task: the output of one that counts its tasks would be
/// another, too.
fn has_timeline(snapshot: &BookSnapshot, name: &ProgramId) -> bool {
    let mut listings = snapshot.listings.iter();
    let counts = listings.any(|it| it.name == *name && it.source.text.contains("num_alive_tasks"));
    snapshot.project.has(&name.timeline()) && !counts
}

fn check(
    test: &str,
    name: Option<&ProgramId>,
    line: &Line<'_>,
    snapshot: &BookSnapshot,
    rng: &mut Rng,
) -> Option<Check> {
    if test == "browser" {
        let page = match line.of.file.ends_with(".md") {
            true => line.of,
            false => pick(rng, &snapshot.pages)?,
        };
        let page = page.file.clone();
        return Some(Check::Browser { page });
    }
    Some(match (test.split_once('/'), name) {
        (Some((file, test)), _) => Check::one(file, test),
        (None, Some(name)) => Check::one(test, name.to_string()),
        (None, None) => Check::all(test),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::FIXES;
    use model::Project;
    use scratch::{PAGE, Scratch};

    #[test]
    fn an_anchor_of_a_crates_file_is_misspelled() {
        let book = Scratch::sound();
        book.write(
            "src/page.md",
            format!("{PAGE}\n{{{{#source shop/src/store.rs:put}}}}\n"),
        );
        book.write(FIXES, "fix = []\n");
        let project = Project::open(book.root()).expect("a book");
        let snapshot = BookSnapshot::load(&project).expect("it can be read");
        let promises = promises().expect("promises");
        let mut rows = promises.iter().flat_map(|promise| &promise.replace);
        let row = rows
            .find(|row| row.lines == PAGES_WITH_CRATES)
            .expect("a row");
        let breakage = row.breakage(&snapshot, &mut Rng::with_seed(1));
        let breakage = breakage.expect("the page has a place for it");
        assert!(
            format!("{:?}", breakage.edits).contains("{{#source shop/src/store.rs:puts}}"),
            "{breakage:?}"
        );
    }
}
