//! Links that lead nowhere, because a heading is renamed, a page moves, or an API is removed.

use super::pages_test;
use crate::breakage::{Breakage, Check, Edit};
use crate::snapshot::BookSnapshot;
use crate::text::{Text, pick, regex};
use fastrand::Rng;
use model::address::resolve;
use model::api::MAP;
use regex::Captures;

/// A heading is renamed, but a link on the same page isn't.
pub fn renamed_heading(snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    let heading = regex(r"^##+ (.+)$");
    let linked = snapshot.page_lines().filter_map(|line| {
        let title = heading.captures(line.text)?.get(1)?.as_str();
        let id: String = title
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            })
            .collect();
        let end = format!("](#{id})");
        let link = line
            .of
            .lines()
            .find(|link| has_whole_link(link.text, &end))?;
        Some((line, link.place()))
    });
    let (line, link) = pick(rng, linked)?;
    let check = pages_test("every_link_inside_the_book_leads_somewhere");
    let renamed = format!("{}, renamed", line.text);
    Some(
        line.broken("is a heading that is renamed", &renamed, check)
            .reported_at(link),
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
    let check = pages_test("no_published_page_is_gone_without_a_redirect");
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
