//! Links that lead nowhere, because a heading is renamed, a page moves, or an API is removed.

use crate::breakage::{Breakage, Check, Edit};
use crate::snapshot::BookSnapshot;
use crate::text::{Line, Text, pick, regex};
use fastrand::Rng;
use model::address::resolve;
use model::api::MAP;
use model::ids::heading_id;
use regex::Captures;

/// A heading is renamed, but a link on the same page isn't.
pub fn renamed_heading(snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    let linked = headings(snapshot).filter_map(|(line, id)| {
        let end = format!("](#{id})");
        let link = line
            .of
            .lines()
            .find(|link| has_whole_link(link.text, &end))?;
        Some((line, link.place()))
    });
    let (line, link) = pick(rng, linked)?;
    Some(renamed(&line, "no_link_is_broken").reported_at(link))
}

/// A published heading is renamed, and there is no redirect.
pub fn lost_heading(snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    let published = snapshot.file("published.txt");
    let listed = headings(snapshot).filter_map(|(line, id)| {
        let page = line.of.file.trim_start_matches("src/");
        let address = format!("{}#{id}", page.replace(".md", ".html"));
        let entry = published.lines().find(|entry| entry.text == address)?;
        Some((line, entry.place()))
    });
    let (line, entry) = pick(rng, listed)?;
    let check = "no_published_address_is_removed_without_a_redirect";
    Some(renamed(&line, check).reported_at(entry))
}

/// The headings of the pages with their fragments.
fn headings(snapshot: &BookSnapshot) -> impl Iterator<Item = (Line<'_>, String)> {
    let heading = regex(r"^##+ (.+)$");
    snapshot.page_lines().filter_map(move |line| {
        let id = heading_id(heading.captures(line.text)?.get(1)?.as_str());
        Some((line, id))
    })
}

fn renamed(line: &Line<'_>, test: &str) -> Breakage {
    let renamed = format!("{}, renamed", line.text);
    line.broken(
        "is a heading that is renamed",
        &renamed,
        Check::one("pages", test),
    )
}

/// Whether a line has a whole link with this end, because a link is reported at the line where it begins.
fn has_whole_link(line: &str, end: &str) -> bool {
    line.find(end)
        .is_some_and(|at| line[..at].rfind('[') > line[..at].rfind(']'))
}

/// A page moves, and so do all links to it, but there is no redirect.
pub fn moved_page(snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    let published = snapshot.file("published.txt");
    let addresses = snapshot.pages.iter().filter_map(|page| {
        let is_leaf = page.file.matches('/').count() > 1 && !page.file.ends_with("index.md");
        let address = page.file.trim_start_matches("src/").replace(".md", ".html");
        let line = published.lines().find(|line| line.text == address)?;
        is_leaf.then_some((page, line))
    });
    let (page, address) = pick(rng, addresses)?;
    let mut edits = vec![
        Edit::remove(&page.file),
        Edit::write(moved(&page.file), relinked(page, &page.file)),
    ];
    let summary = snapshot.file("src/SUMMARY.md");
    let others = snapshot
        .pages
        .iter()
        .filter(|other| other.file != page.file);
    for other in others.chain([&summary]) {
        let text = relinked(other, &page.file);
        if text != other.text {
            edits.push(Edit::write(&other.file, text));
        }
    }
    let check = Check::one(
        "pages",
        "no_published_address_is_removed_without_a_redirect",
    );
    let what = format!("{} moves without a redirect", page.file);
    let breakage = Breakage::new(what, edits.remove(0), check, address.place());
    Some(breakage.with_edits(edits))
}

/// The new file of a page that moves: `src/tasks/waiting_moved.md`.
fn moved(page: &str) -> String {
    page.replace(".md", "_moved.md")
}

/// A file with its links to a page that moves changed. Pages in other folders may have the same name.
fn relinked(text: &Text, page: &str) -> String {
    let link = regex(r"\]\(([^()\s#]+\.md)");
    let relink = |found: &Captures<'_>| match resolve(&text.file, &found[1]) == page {
        true => moved(&found[0]),
        false => found[0].to_owned(),
    };
    link.replace_all(&text.text, relink).into_owned()
}

/// A dependency removes an API; the page and the map of APIs still agree.
pub fn removed_api(snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    let method = regex(r"\]\[(\w+::\w+)\]");
    let lines = snapshot.page_lines();
    let line = pick(rng, lines.filter(|line| method.is_match(line.text)))?;
    let name = &method.captures(line.text)?[1];
    let (link, entry) = (format!("][{name}]"), format!("\"{name}\" ="));
    let renamed = |text: &str, old: &str| {
        text.replacen(old, &old.replace(name, &format!("{name}_removed")), 1)
    };
    let map = snapshot.file(MAP);
    let check = Check::one("api_links", "every_api_that_a_page_links_exists");
    let breakage = line.broken(
        "links an API that a release removed",
        &renamed(line.text, &link),
        check,
    );
    Some(breakage.with_edits([Edit::write(MAP, renamed(&map.text, &entry))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_the_page_that_moves_are_changed() {
        let file = "src/shutdown/exit.md".to_owned();
        let text = "[a](signals.md#x) [b](../channels/signals.md) [c](https://x.org/signals.md) signals.md".to_owned();
        let text = Text { file, text };
        assert_eq!(
            relinked(&text, "src/shutdown/signals.md"),
            text.text.replace("(signals.md", "(signals_moved.md")
        );
        assert_eq!(
            relinked(&text, "src/channels/signals.md"),
            text.text
                .replace("channels/signals.md", "channels/signals_moved.md")
        );
    }
}
