//! Promises about pages: what they name is there, and what is there is named.

use crate::breakage::{Breakage, Edit};
use crate::check::Check;
use crate::sample::{Sample, Text, numbered, pick, with_line};
use fastrand::Rng;
use model::address::resolve;
use model::api;
use regex::Regex;

/// The check that builds the site and looks it through.
fn pages() -> Check {
    Check::test("pages")
}

/// One line of a page is changed, and a check names that line.
fn at_line(
    promise: usize,
    what: &str,
    page: &Text,
    number: usize,
    line: &str,
    says: impl Into<String>,
) -> Breakage {
    let place = format!("{}:{number}", page.file);
    Breakage {
        promise,
        what: format!("{place} {what}"),
        edits: vec![Edit::write(
            &page.file,
            with_line(&page.text, number, Some(line)),
        )],
        check: pages(),
        place,
        says: says.into(),
    }
}

/// The lines of all pages that an expression matches.
fn matching<'a>(
    sample: &'a Sample,
    expression: &'a Regex,
) -> impl Iterator<Item = (&'a Text, usize, &'a str)> {
    sample.pages.iter().flat_map(move |page| {
        let lines = numbered(&page.text).filter(|(_, line)| expression.is_match(line));
        lines.map(move |(number, line)| (page, number, line))
    })
}

/// Promise 7.
pub fn misspelt_directives(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let mut breakages = Vec::new();
    let changes = [
        (
            r"^\{\{#listing (\w+/\w+?)\w(:\w+)?\}\}$",
            "{{#listing ${1}${2}}}",
            "names a listing that is not there",
            "there is no listing",
        ),
        (
            r"^\{\{#listing (\w+/\w+:\w+)\}\}$",
            "{{#listing ${1}s}}",
            "names an anchor that is not there",
            "there is no anchor",
        ),
        (
            r"^\{\{#timeline (.*\w)\}\}$",
            "{{#timeline ${1}s}}",
            "draws a listing that is not there",
            "there is no listing",
        ),
        (
            r"^\{\{#(list)ing (\S+)\}\}$",
            "{{#${1}ng ${2}}}",
            "misspells a directive",
            "is not a directive; did you mean `listing`?",
        ),
        (
            r"^\{\{#output (\S+)\}\}$",
            "{#output ${1}}",
            "loses its braces",
            "is not a directive",
        ),
        (
            r"^\{\{#(output|listing) (\S+)\}\}$",
            "See {{#${1} ${2}}}",
            "puts a block into a line",
            "must stand alone on its line",
        ),
        (
            r"^\{\{#(\w+) (\S+)\}\}$",
            "{{#include ${2}}}",
            "includes as stock mdBook does",
            "is not a directive; code comes onto a page",
        ),
    ];
    for (expression, to, what, says) in changes {
        let expression = Regex::new(expression).expect("a constant expression");
        if let Some((page, number, line)) = pick(rng, matching(sample, &expression)) {
            let other = expression.replace(line, to);
            breakages.push(at_line(7, what, page, number, &other, says));
        }
    }
    let cut = sample
        .used("listing")
        .filter(|used| used.argument.contains(':'));
    if let Some(used) = pick(rng, cut)
        && let Some((name, anchor)) = used.argument.split_once(':')
        && let Some(listing) = sample
            .listings
            .iter()
            .find(|it| it.name.to_string() == name)
    {
        let (mut inside, mut text) = (false, String::new());
        for line in listing.text.lines() {
            inside &= !line.contains(&format!("ANCHOR_END: {anchor}"));
            if !inside {
                text.push_str(line);
                text.push('\n');
            }
            inside |= line.contains(&format!("ANCHOR: {anchor}"));
        }
        let place = format!("{}:{}", used.page, used.line);
        breakages.push(Breakage {
            promise: 7,
            what: format!("the anchor that {place} shows is empty"),
            edits: vec![Edit::write(listing.name.source(), text)],
            check: pages(),
            place,
            says: format!("anchor `{anchor}` is empty"),
        });
    }
    breakages
}

/// Promise 8.
pub fn broken_links(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let mut breakages = Vec::new();
    let to_page = Regex::new(r"\]\(([\w./]*\w)\.md").expect("a constant expression");
    if let Some((page, number, line)) = pick(rng, matching(sample, &to_page)) {
        let other = to_page.replace(line, "](${1}_old.md");
        breakages.push(at_line(
            8,
            "links to a page that is not there",
            page,
            number,
            &other,
            "which does not exist",
        ));
    }
    let to_heading = Regex::new(r"\]\(([\w./]*)#([\w-]+)\)").expect("a constant expression");
    if let Some((page, number, line)) = pick(rng, matching(sample, &to_heading)) {
        let other = to_heading.replace(line, "](${1}#${2}-old)");
        breakages.push(at_line(
            8,
            "links to a heading that is not there",
            page,
            number,
            &other,
            "leads to a heading that",
        ));
    }
    for (block, says) in [
        (
            "More of it is told elsewhere.[^elsewhere]",
            "this reference has no definition",
        ),
        ("See [the guide](htps://example.com/).", "is no address"),
        (
            "See <a href=\"nowhere.html\">that page</a>.",
            "which does not exist",
        ),
    ] {
        breakages.extend(inserted(sample, rng, 8, block, 0, &pages(), says));
    }
    breakages.extend(renamed_heading(sample, rng));
    breakages.extend(moved_page(sample, rng));
    if let Ok(readme) = sample.project.read("README.md") {
        let link = Regex::new(r"\]\(([A-Z][\w-]*)(\.md)?\)").expect("a constant expression");
        let links = numbered(&readme).filter(|(_, line)| link.is_match(line));
        if let Some((number, line)) = pick(rng, links) {
            let other = link.replace(line, "](${1}-OLD${2})");
            breakages.push(Breakage {
                promise: 8,
                what: format!("README.md:{number} links to a file that is not there"),
                edits: vec![Edit::write(
                    "README.md",
                    with_line(&readme, number, Some(&other)),
                )],
                check: pages(),
                place: format!("README.md:{number}"),
                says: "which does not exist".into(),
            });
        }
    }
    breakages
}

/// A heading gets another name, and a link on the same page goes on leading to the old one.
fn renamed_heading(sample: &Sample, rng: &mut Rng) -> Option<Breakage> {
    let heading = Regex::new(r"^(##+ )(.+)$").expect("a constant expression");
    let heading = &heading;
    let linked = sample.pages.iter().flat_map(|page| {
        numbered(&page.text).filter_map(move |(number, line)| {
            let title = heading.captures(line)?.get(2)?.as_str();
            let id: String = title
                .to_lowercase()
                .chars()
                .filter_map(|c| match c {
                    ' ' => Some('-'),
                    c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                    _ => None,
                })
                .collect();
            let link = format!("](#{id})");
            let from = numbered(&page.text)
                .find(|(_, line)| begins_and_ends_with(line, &link))?
                .0;
            Some((page, number, line, from))
        })
    });
    let (page, number, line, from) = pick(rng, linked.collect::<Vec<_>>())?;
    Some(Breakage {
        promise: 8,
        what: format!("the heading {}:{number} is renamed", page.file),
        edits: vec![Edit::write(
            &page.file,
            with_line(&page.text, number, Some(&format!("{line}, renamed"))),
        )],
        check: pages(),
        place: format!("{}:{from}", page.file),
        says: "leads to a heading that".into(),
    })
}

/// Whether a line has a whole link with this end: a problem is told at the line where a link begins.
fn begins_and_ends_with(line: &str, end: &str) -> bool {
    line.find(end)
        .is_some_and(|at| line[..at].rfind('[') > line[..at].rfind(']'))
}

/// A page moves, all links with it, and no redirect stays behind.
fn moved_page(sample: &Sample, rng: &mut Rng) -> Option<Breakage> {
    let published = sample.project.read("published.txt").ok()?;
    let leaves = sample
        .pages
        .iter()
        .filter(|page| !page.file.ends_with("index.md") && page.file.contains("/"));
    let page = pick(
        rng,
        leaves.filter(|page| page.file.matches('/').count() > 1),
    )?;
    let address = page.file.trim_start_matches("src/").replace(".md", ".html");
    let (line, _) = numbered(&published).find(|(_, line)| *line == address)?;
    let mut edits = vec![Edit::remove(&page.file)];
    let moved = moved_file(&page.file);
    edits.push(Edit::write(
        moved,
        relinked(&page.text, &page.file, &page.file),
    ));
    let summary = sample.project.read("src/SUMMARY.md").ok()?;
    let summary = Text {
        file: "src/SUMMARY.md".to_owned(),
        text: summary,
    };
    let others = sample.pages.iter().filter(|other| other.file != page.file);
    for other in others.chain([&summary]) {
        let text = relinked(&other.text, &other.file, &page.file);
        if text != other.text {
            edits.push(Edit::write(&other.file, text));
        }
    }
    Some(Breakage {
        promise: 8,
        what: format!("{} moves without a redirect", page.file),
        edits,
        check: pages(),
        place: format!("published.txt:{line}"),
        says: format!("the page {address} was published and is gone"),
    })
}

/// Where a page moves to: `src/tasks/waiting_moved.md`.
fn moved_file(page: &str) -> String {
    page.replace(".md", "_moved.md")
}

/// The text of a file with its links to a page that has moved. Pages of other folders may have the same name.
fn relinked(text: &str, file: &str, page: &str) -> String {
    let link = Regex::new(r"\]\(([^()\s#]+\.md)").expect("a constant expression");
    link.replace_all(text, |found: &regex::Captures<'_>| {
        match resolve(file, &found[1]) == page {
            true => moved_file(&found[0]),
            false => found[0].to_owned(),
        }
    })
    .into_owned()
}

/// Promise 9.
pub fn unknown_apis(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let mut breakages = Vec::new();
    let check = || Check::test("api_links");
    let linked = Regex::new(r"\[`(\w+(?:::\w+)*)`\](?:[^(\[]|$)").expect("a constant expression");
    if let Some((page, number, line)) = pick(rng, matching(sample, &linked)) {
        let name = linked
            .captures(line)
            .map_or(String::new(), |found| found[1].to_owned());
        let other = line.replacen(&format!("[`{name}`]"), &format!("[`{name}::renamed`]"), 1);
        let mut breakage = at_line(
            9,
            "links an API that does not exist",
            page,
            number,
            &other,
            format!("`{name}::renamed` is no API that the documentation of the book's crates has"),
        );
        breakage.check = check();
        breakages.push(breakage);
    }
    let map = sample.project.read(api::MAP).unwrap_or_default();
    // The dependency renames it, page and map go on as before.
    let method = Regex::new(r"\]\[(\w+::)(\w+)\]").expect("a constant expression");
    if let Some((page, number, line)) = pick(rng, matching(sample, &method))
        && let Some(found) = method.captures(line)
    {
        let (old, new) = (
            format!("{}{}", &found[1], &found[2]),
            format!("{}{}_gone", &found[1], &found[2]),
        );
        let mut breakage = at_line(
            9,
            "links an API that a release removed",
            page,
            number,
            &line.replacen(&format!("][{old}]"), &format!("][{new}]"), 1),
            format!("`{new}` is no API that the documentation of the book's crates has"),
        );
        let renamed = map.replace(&format!("\"{old}\" ="), &format!("\"{new}\" ="));
        breakage.edits.push(Edit::write(api::MAP, renamed));
        breakage.check = check();
        breakages.push(breakage);
    }
    let entries = numbered(&map).filter(|(_, line)| line.contains(".html"));
    if let Some((number, line)) = pick(rng, entries) {
        breakages.push(Breakage {
            promise: 9,
            what: format!("{}:{number} leads elsewhere", api::MAP),
            edits: vec![Edit::write(
                api::MAP,
                with_line(&map, number, Some(&line.replace(".html", "_old.html"))),
            )],
            check: check(),
            place: format!("{}:{number}", api::MAP),
            says: "the documentation of".into(),
        });
    }
    let unchecked = "stands neither in a program on this page nor in a link";
    for (block, says) in [
        ("Call `JoinSet::join_everything` here.", unchecked),
        ("Call `tokio::task::spawn_many` here.", unchecked),
        ("Call `Semaphore::acquire_twice` here.", unchecked),
        ("Call `join_nxt` here.", "so nothing checks that it exists"),
        (
            "Call JoinSet::join_everything here.",
            "stands among plain words",
        ),
    ] {
        breakages.extend(inserted(sample, rng, 9, block, 0, &check(), says));
    }
    if let Some(listing) = pick(rng, &sample.listings) {
        let source = listing.name.source();
        let caption = listing.text.lines().next().unwrap_or_default();
        let other = format!("{caption} See `JoinSet::join_nxt`.");
        breakages.push(Breakage {
            promise: 9,
            what: format!("the caption in {source} names an API that does not exist"),
            edits: vec![Edit::write(
                &source,
                with_line(&listing.text, 1, Some(&other)),
            )],
            check: check(),
            place: format!("{source}:1"),
            says: "stands in a comment, and neither in the code nor among the APIs".into(),
        });
    }
    breakages
}

/// A paragraph or block that is written behind a heading somewhere; `below` is the line of it (from 0)
/// that must be named.
pub(super) fn inserted(
    sample: &Sample,
    rng: &mut Rng,
    promise: usize,
    block: &str,
    below: usize,
    check: &Check,
    says: &str,
) -> Option<Breakage> {
    let (page, number) = pick(rng, headings(sample))?;
    let heading = page.text.lines().nth(number - 1)?;
    let place = format!("{}:{}", page.file, number + 2 + below);
    let first = block.lines().find(|line| !line.trim().is_empty())?;
    Some(Breakage {
        promise,
        what: format!("{place} has: {first}"),
        edits: vec![Edit::write(
            &page.file,
            with_line(&page.text, number, Some(&format!("{heading}\n\n{block}"))),
        )],
        check: check.clone(),
        place,
        says: says.to_owned(),
    })
}

/// The headings of all pages, by page and line: behind one, a paragraph may begin.
fn headings(sample: &Sample) -> Vec<(&Text, usize)> {
    let all = sample.pages.iter().flat_map(|page| {
        let lines = numbered(&page.text).filter(|(_, line)| line.starts_with('#'));
        lines.map(move |(number, _)| (page, number))
    });
    all.collect()
}

/// Promise 10.
pub fn orphans(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let orphan = |what: String, edit: Edit, place: String, says: String| Breakage {
        promise: 10,
        what,
        edits: vec![edit],
        check: pages(),
        place,
        says,
    };
    let mut breakages = Vec::new();
    let part = sample
        .listings
        .first()
        .map_or("tasks", |listing| listing.name.part.as_str());
    breakages.push(orphan(
        "a page is not in SUMMARY.md".into(),
        Edit::write(format!("src/{part}/forgotten.md"), "# Forgotten\n"),
        format!("src/{part}/forgotten.md"),
        "is not in src/SUMMARY.md, so no reader finds it".into(),
    ));
    if let Some(listing) = pick(rng, &sample.listings) {
        let source = format!("listings/{}/src/bin/never_shown.rs", listing.name.part);
        breakages.push(orphan(
            format!("no page shows {source}"),
            Edit::write(&source, &listing.text),
            source.clone(),
            "no page shows it; add {{#listing".into(),
        ));
    }
    if let Some(used) = pick(rng, sample.used("output").collect::<Vec<_>>())
        && let Some(page) = sample.page(&used.page)
        && sample
            .used("output")
            .filter(|other| other.argument == used.argument)
            .count()
            == 1
        && let Some((part, name)) = used.argument.split_once('/')
    {
        breakages.push(orphan(
            format!("{}:{} shows the output no more", page.file, used.line),
            Edit::write(&page.file, with_line(&page.text, used.line, None)),
            format!("listings/{part}/src/bin/{name}.out"),
            "no page shows it; add {{#output".into(),
        ));
    }
    if let Some(listing) = pick(rng, &sample.listings) {
        let last = listing.text.lines().count();
        let text = format!(
            "{}// ANCHOR: never_shown\nconst _: () = ();\n// ANCHOR_END: never_shown\n",
            listing.text
        );
        breakages.push(orphan(
            format!("{} has an anchor that no page shows", listing.name.source()),
            Edit::write(listing.name.source(), text),
            format!("{}:{}", listing.name.source(), last + 1),
            "no page shows the anchor `never_shown`".into(),
        ));
    }
    for file in [
        format!("src/{part}/never_shown.svg"),
        "docs/never_shown.svg".to_owned(),
    ] {
        breakages.push(orphan(
            format!("nothing shows {file}"),
            Edit::write(&file, "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n"),
            file.clone(),
            "nothing shows it or links to it".into(),
        ));
    }
    breakages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_the_page_that_moves_are_changed() {
        let text = "[a](signals.md#x) [b](../channels/signals.md) [c](https://x.org/signals.md) signals.md";
        assert_eq!(
            relinked(text, "src/shutdown/exit.md", "src/shutdown/signals.md"),
            "[a](signals_moved.md#x) [b](../channels/signals.md) [c](https://x.org/signals.md) signals.md"
        );
        assert_eq!(
            relinked(text, "src/shutdown/exit.md", "src/channels/signals.md"),
            "[a](signals.md#x) [b](../channels/signals_moved.md) [c](https://x.org/signals.md) signals.md"
        );
    }
}
