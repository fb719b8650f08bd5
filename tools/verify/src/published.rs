//! Old links keep working: a published page or heading stays where it is or leaves a redirect.
//!
//! `published.txt` at the book's root lists the address of every page and heading that was ever published, one on each line.

use crate::links::heading_ids;
use crate::numbered;
use model::address::resolve;
use model::problem::Problem;
use model::project::Project;
use model::provenance::git;
use model::uses;
use std::collections::{BTreeMap, BTreeSet};

/// The list of addresses.
pub const LIST: &str = "published.txt";
const CONFIG: &str = "book.toml";

/// A page's source, and the fragments of its headings in order, its title's first.
struct Target {
    source: String,
    fragments: Vec<String>,
}

/// The pages by their addresses: `tasks/waiting.html`.
fn targets(project: &Project) -> Result<BTreeMap<String, Target>, Problem> {
    let sources = uses::pages_below(project, "src").into_iter();
    let sources = sources.filter(|source| source != "src/SUMMARY.md");
    let target = |source: String| {
        let fragments = heading_ids(&project.read(&source)?);
        let address = source["src/".len()..].replace(".md", ".html");
        Ok((address, Target { source, fragments }))
    };
    sources.map(target).collect()
}

/// Published pages and headings that were removed without a redirect, and redirects to nowhere.
///
/// # Errors
///
/// The list, a page, or book.toml can't be read.
pub fn lost_addresses(project: &Project) -> Result<Vec<Problem>, Problem> {
    let targets = targets(project)?;
    let exists = |address: &str| {
        let (page, fragment) = address.split_once('#').unwrap_or((address, ""));
        targets.get(page).is_some_and(|target| {
            fragment.is_empty() || target.fragments.iter().any(|it| it == fragment)
        })
    };
    let redirects = redirects(&project.read(CONFIG)?)?;
    // The redirect of a page keeps the fragment.
    let arrives = |address: &str| match address.split_once('#') {
        Some((page, fragment)) => redirects
            .get(page)
            .is_some_and(|to| exists(&format!("{}#{fragment}", resolve(page, to)))),
        None => false,
    };
    let mut problems = Vec::new();
    for (number, line) in numbered(&project.read(LIST)?) {
        if !exists(line) && !redirects.contains_key(line) && !arrives(line) {
            let kind = if line.contains('#') {
                "heading"
            } else {
                "page"
            };
            let message = format!(
                "the {kind} {line} was published and no longer exists; add \"/{line}\" = \"...\" with its new address to \
                 [output.html.redirect] in {CONFIG}, so that links to it keep working"
            );
            problems.push(Problem::at(LIST, number, message));
        }
    }
    for (from, to) in &redirects {
        let (page, fragment) = to.split_once('#').unwrap_or((to, ""));
        let page = resolve(from.split('#').next().unwrap_or_default(), page);
        if !targets.contains_key(&page) {
            let message = format!("the redirect from /{from} leads to {page}, which isn't a page");
            problems.push(Problem::of(CONFIG, message));
        } else if !exists(&format!("{page}#{fragment}")) {
            let message = format!(
                "the redirect from /{from} leads to a heading that {page} does not have, #{fragment}"
            );
            problems.push(Problem::of(CONFIG, message));
        }
        if exists(from) {
            let message =
                format!("the redirect from /{from} hides the page or heading with that address");
            problems.push(Problem::of(CONFIG, message));
        }
    }
    Ok(problems)
}

/// The list with the addresses of new pages and headings, and a problem for each page that has them.
///
/// # Errors
///
/// The list or a page can't be read.
pub fn unlisted(project: &Project) -> Result<(String, Vec<Problem>), Problem> {
    let text = project.read(LIST)?;
    let mut listed: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let mut problems = Vec::new();
    for (page, target) in targets(project)? {
        let headings = target.fragments.iter().skip(1);
        let mut addresses: Vec<_> = headings.map(|it| format!("{page}#{it}")).collect();
        addresses.insert(0, page);
        addresses.retain(|address| listed.insert(address.clone()));
        if !addresses.is_empty() {
            let message = format!(
                "has new addresses: {}; `cargo book bless --addresses` adds them to {LIST}",
                addresses.join(", ")
            );
            problems.push(Problem::of(target.source, message));
        }
    }
    let lines = listed.into_iter().filter(|line| !line.is_empty());
    Ok((lines.map(|line| line + "\n").collect(), problems))
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
