//! Old links live: a page that was published stays where it is, or leaves a redirect.
//!
//! `published.txt` at the book's root lists the address of every page that ever was, one a line.

use model::address::resolve;
use model::problem::Problem;
use model::project::Project;
use model::provenance::git;
use render::site::Page;
use std::collections::{BTreeMap, BTreeSet};

const LIST: &str = "published.txt";
const CONFIG: &str = "book.toml";

/// Published pages that are gone without a redirect, redirects to nowhere, and pages that the list
/// does not have yet.
///
/// # Errors
///
/// The list or book.toml cannot be read.
pub fn lost_pages(project: &Project, pages: &[Page]) -> Result<Vec<Problem>, Problem> {
    let addresses: BTreeMap<String, &str> = pages
        .iter()
        .map(|page| (address(page), page.source.as_str()))
        .collect();
    let list = project.read(LIST)?;
    let published: BTreeSet<&str> = list.lines().filter(|line| !line.is_empty()).collect();
    let redirects = redirects(&project.read(CONFIG)?)?;
    let mut problems = Vec::new();
    for (number, line) in list.lines().enumerate() {
        if !line.is_empty() && !addresses.contains_key(line) && !redirects.contains_key(line) {
            problems.push(Problem::at(
                LIST,
                number + 1,
                format!(
                    "the page {line} was published and is gone; where it moved, add \"/{line}\" = \"...\" to \
                     [output.html.redirect] in {CONFIG}, so that links to it go on working"
                ),
            ));
        }
    }
    for (from, to) in &redirects {
        let target = resolve(from, to.split('#').next().unwrap_or_default());
        if !addresses.contains_key(&target) {
            problems.push(Problem::of(
                CONFIG,
                format!("the redirect from /{from} leads to {target}, which is no page"),
            ));
        }
        if addresses.contains_key(from) {
            problems.push(Problem::of(
                CONFIG,
                format!("the redirect from /{from} hides the page of that address"),
            ));
        }
    }
    for (address, source) in addresses {
        if !published.contains(address.as_str()) {
            problems.push(Problem::of(
                source,
                format!("is a new page; add the line `{address}` to {LIST}"),
            ));
        }
    }
    Ok(problems)
}

/// Published addresses that were taken off the list: those that it has in a commit of the book's repository
/// and not now. Without a repository, the list alone tells what was published.
///
/// # Errors
///
/// The list cannot be read.
pub fn forgotten(project: &Project) -> Result<Vec<Problem>, Problem> {
    let list = project.read(LIST)?;
    let now: BTreeSet<&str> = list.lines().collect();
    let committed = git(project, &["show", &format!("HEAD:./{LIST}")]).unwrap_or_default();
    let history = git(project, &["log", "--format=", "--patch", "--", LIST]).unwrap_or_default();
    let removed = history
        .lines()
        .filter(|line| !line.starts_with("---"))
        .filter_map(|line| line.strip_prefix('-'));
    let forgotten: BTreeSet<&str> = committed
        .lines()
        .chain(removed)
        .filter(|line| !line.is_empty() && !now.contains(line))
        .collect();
    let message = |address: &str| {
        format!(
            "the address {address} was on this list and is not; put it back, for links to it are out there"
        )
    };
    Ok(forgotten
        .into_iter()
        .map(|address| Problem::of(LIST, message(address)))
        .collect())
}

fn address(page: &Page) -> String {
    page.html.to_string_lossy().replace('\\', "/")
}

/// The redirects of book.toml, from an address without its slash to what is written behind it.
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
