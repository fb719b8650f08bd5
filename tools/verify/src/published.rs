//! Old links keep working: a published page stays where it is or leaves a redirect.
//!
//! `published.txt` at the book's root lists the address of every page that was ever published, one on each line.

use crate::numbered;
use model::address::resolve;
use model::problem::Problem;
use model::project::Project;
use model::provenance::git;
use render::site::Page;
use std::collections::{BTreeMap, BTreeSet};

const LIST: &str = "published.txt";
const CONFIG: &str = "book.toml";

/// Published pages that were removed without a redirect, redirects to nowhere, and pages that aren't on the list yet.
///
/// # Errors
///
/// The list or book.toml can't be read.
pub fn lost_pages(project: &Project, pages: &[Page]) -> Result<Vec<Problem>, Problem> {
    let address = |page: &Page| page.html.to_string_lossy().replace('\\', "/");
    let pages: BTreeMap<String, &str> = pages
        .iter()
        .map(|page| (address(page), page.source.as_str()))
        .collect();
    let list = project.read(LIST)?;
    let redirects = redirects(&project.read(CONFIG)?)?;
    let mut problems = Vec::new();
    for (number, line) in numbered(&list) {
        if !pages.contains_key(line) && !redirects.contains_key(line) {
            let message = format!(
                "the page {line} was published and no longer exists; add \"/{line}\" = \"...\" with its new address to \
                 [output.html.redirect] in {CONFIG}, so that links to it keep working"
            );
            problems.push(Problem::at(LIST, number, message));
        }
    }
    for (from, to) in &redirects {
        let target = resolve(from, to.split('#').next().unwrap_or_default());
        if !pages.contains_key(&target) {
            let message =
                format!("the redirect from /{from} leads to {target}, which isn't a page");
            problems.push(Problem::of(CONFIG, message));
        }
        if pages.contains_key(from) {
            let message = format!("the redirect from /{from} hides the page with that address");
            problems.push(Problem::of(CONFIG, message));
        }
    }
    let published: BTreeSet<&str> = list.lines().collect();
    for (address, source) in pages {
        if !published.contains(address.as_str()) {
            let message = format!("is a new page; add the line `{address}` to {LIST}");
            problems.push(Problem::of(source, message));
        }
    }
    Ok(problems)
}

/// Addresses that were removed from the list since they were committed. Without a git repository there's no history,
/// and nothing is found.
///
/// # Errors
///
/// The list can't be read.
pub fn removed(project: &Project) -> Result<Vec<Problem>, Problem> {
    let list = project.read(LIST)?;
    let now: BTreeSet<&str> = list.lines().collect();
    let committed = git(project, &["show", &format!("HEAD:./{LIST}")]).unwrap_or_default();
    let history = git(project, &["log", "--format=", "--patch", "--", LIST]).unwrap_or_default();
    let removed = history
        .lines()
        .filter_map(|line| line.strip_prefix('-'))
        .filter(|line| !line.starts_with("--"));
    let before: BTreeSet<&str> = committed.lines().chain(removed).collect();
    let lost = before.difference(&now).filter(|line| !line.is_empty());
    let message = |address: &&str| {
        format!(
            "the address {address} was removed from this list; put it back, because others link to it"
        )
    };
    Ok(lost
        .map(|address| Problem::of(LIST, message(address)))
        .collect())
}

/// The redirects in book.toml, from an address without its leading slash to the target as it's written.
fn redirects(config: &str) -> Result<BTreeMap<String, String>, Problem> {
    let config: toml::Table = config
        .parse()
        .map_err(|error| Problem::of(CONFIG, format!("is not TOML: {error}")))?;
    let table = config
        .get("output")
        .and_then(|output| output.get("html")?.get("redirect")?.as_table())
        .cloned()
        .unwrap_or_default();
    let entries = table.into_iter().filter_map(|(from, to)| {
        Some((
            from.trim_start_matches('/').to_owned(),
            to.as_str()?.to_owned(),
        ))
    });
    Ok(entries.collect())
}
