//! Promise: a reader finds a page by the words of a symptom, a question, a message, or an API.
//!
//! The search box's own scripts run here, in an embedded JavaScript engine. `cargo book find "words"` prints what they find.

use anyhow::{Context, Result, ensure};
use find::{Finder, Hit};
use model::Project;
use render::find::{search, sections};
use scratch::rows;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static PROJECT: LazyLock<Project> =
    LazyLock::new(|| Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here"));

/// What readers ask (words, other forms of a word, parts, typos, messages as they were printed, and whole questions from public
/// threads), and the beginnings of the addresses that answer it.
const ASKED: &str = include_str!("find/asked.txt");
/// How many of a hundred must lead to an answer by the first result.
const BY_THE_FIRST: usize = 88;
/// How many of a hundred must lead to an answer by the first three results.
const BY_THE_FIRST_THREE: usize = 97;

fn addresses(finder: &Finder, query: &str) -> Result<Vec<String>> {
    let hits = finder.find(query).with_context(|| format!("`{query}`"))?;
    Ok(hits
        .into_iter()
        .map(|Hit { address, .. }| address)
        .collect())
}

fn readers_find(finder: &Finder) -> Result<()> {
    an_answer_is_found(finder, &rows(ASKED))
}

/// The same for every tenth query: enough to notice a broken search.
fn some_readers_find(finder: &Finder) -> Result<()> {
    let asked: Vec<_> = rows(ASKED).into_iter().step_by(10).collect();
    an_answer_is_found(finder, &asked)
}

fn an_answer_is_found(finder: &Finder, asked: &[[String; 2]]) -> Result<()> {
    let (mut first, mut first_three, mut missed) = (0, 0, String::new());
    for [query, answers] in asked {
        let found = addresses(finder, query)?;
        let answers: Vec<_> = answers.split(" or ").collect();
        let is_answer = |found: &String| answers.iter().any(|answer| found.contains(answer));
        let place = found.iter().position(is_answer);
        first += usize::from(place == Some(0));
        match place {
            Some(0..3) => first_three += 1,
            _ => missed += &format!("`{query}` finds {:?}\n", &found[..found.len().min(3)]),
        }
    }
    for (found, places, percent) in [
        (first, "first result", BY_THE_FIRST),
        (first_three, "first three results", BY_THE_FIRST_THREE),
    ] {
        ensure!(
            found * 100 >= percent * asked.len(),
            "{found} of {} queries find an answer in the {places}, and {percent} % should:\n{missed}",
            asked.len()
        );
        println!(
            "{found} of {} queries find an answer in the {places}",
            asked.len()
        );
    }
    Ok(())
}

/// Every message in the index of messages finds one of the pages that explain it.
fn each_message_leads_to_its_page(finder: &Finder) -> Result<()> {
    let mut messages: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let sections = sections::all(&PROJECT)?;
    for section in sections.iter() {
        let page = section.page.replace(".md", ".html#");
        for message in &section.messages {
            messages.entry(message).or_default().insert(page.clone());
        }
    }
    ensure!(messages.len() > 50, "only {} messages", messages.len());
    // A section whose title quotes the message explains it, too.
    for (message, pages) in &mut messages {
        let quoted = format!("\"{}\"", message.to_lowercase());
        let sections = sections.iter();
        let named = sections.filter(|it| it.title.to_lowercase().contains(&quoted));
        pages.extend(named.map(|it| it.page.replace(".md", ".html#")));
    }
    let mut wrong = Vec::new();
    for (message, pages) in &messages {
        let found = addresses(finder, message)?;
        let first_three = &found[..found.len().min(3)];
        let is_page = |it: &String| pages.iter().any(|page| it.starts_with(page.as_str()));
        if !first_three.iter().any(is_page) {
            wrong.push(format!(
                "`{message}` should lead to {pages:?}, and leads to {first_three:?}"
            ));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The address of a section is made from its title, in search.js.
fn each_address_is_right(finder: &Finder) -> Result<()> {
    let sections = sections::all(&PROJECT)?;
    let expected = search::indexed(&sections).map(|it| it.link().replace(".md#", ".html#"));
    for (address, expected) in finder.addresses().iter().zip(expected) {
        ensure!(*address == expected, "{address} should be {expected}");
    }
    ensure!(
        finder.addresses().len() == search::indexed(&sections).count(),
        "sections are missing"
    );
    Ok(())
}

/// A title finds its own section. Every tenth of them is looked for.
fn each_title_leads_to_its_section(finder: &Finder) -> Result<()> {
    let mut wrong = Vec::new();
    for section in sections::all(&PROJECT)?.iter().step_by(10) {
        let address = section.link().replace(".md#", ".html#");
        if section.title != "See also" && !addresses(finder, &section.title)?.contains(&address) {
            wrong.push(format!("`{}` should lead to {address}", section.title));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn readers_find_what_they_ask() -> Result<()> {
    readers_find(&Finder::new(&PROJECT)?)
}

#[test]
fn each_message_leads_to_its_page_within_three_results() -> Result<()> {
    each_message_leads_to_its_page(&Finder::new(&PROJECT)?)
}

#[test]
fn each_title_leads_to_its_section_among_the_results() -> Result<()> {
    let finder = Finder::new(&PROJECT)?;
    each_address_is_right(&finder)?;
    each_title_leads_to_its_section(&finder)
}

/// The fewest queries that each page answers.
const FEWEST: usize = 5;

#[test]
fn every_page_is_asked_for() -> Result<()> {
    let sections = sections::all(&PROJECT)?;
    let mut queries: BTreeMap<String, usize> = BTreeMap::new();
    let addresses = search::indexed(&sections).map(|it| it.link().replace(".md#", ".html#"));
    let addresses: Vec<String> = addresses.collect();
    for [_, answers] in rows(ASKED) {
        let answers: Vec<_> = answers.split(" or ").map(str::to_owned).collect();
        for answer in &answers {
            ensure!(
                addresses.iter().any(|it| it.contains(answer)),
                "tests/find/asked.txt: there is no section {answer}"
            );
        }
        let is_answer = |it: &&String| answers.iter().any(|answer| it.contains(answer));
        let answering = addresses.iter().filter(is_answer);
        let pages: BTreeSet<_> = answering.filter_map(|it| it.split('#').next()).collect();
        for page in pages {
            *queries.entry(page.to_owned()).or_default() += 1;
        }
    }
    let pages: BTreeSet<_> = addresses
        .iter()
        .filter_map(|it| it.split('#').next())
        .collect();
    let few = pages
        .iter()
        .filter(|it| queries.get(**it).copied().unwrap_or(0) < FEWEST);
    let few: Vec<_> = few.collect();
    ensure!(
        few.is_empty(),
        "tests/find/asked.txt has fewer than {FEWEST} queries for {few:?}"
    );
    Ok(())
}

/// Changes the search, and demands that a check fails with this message.
fn assert_fails((old, new): (&str, &str), check: fn(&Finder) -> Result<()>, message: &str) {
    let engine = PROJECT.read("src/minisearch.js").expect("the engine");
    let script = PROJECT.read("src/search.js").expect("the search");
    assert!(script.contains(old), "src/search.js has no `{old}`");
    let sections = sections::all(&PROJECT).expect("the pages");
    let index = search::index(sections.as_ref()).to_string();
    let finder = Finder::with(&index, &[&engine, &script.replace(old, new)]).expect("it runs");
    let error = check(&finder).expect_err("the check passes").to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn a_broken_search_is_reported() {
    let all = ("fields: Object.keys(BOOST)", "fields: ['pageTitle']");
    assert_fails(all, some_readers_find, "queries find an answer in");
    let pasted = ("ranked = sections.filter", "ranked = [].filter");
    assert_fails(pasted, each_message_leads_to_its_page, "should lead to");
    let fragments = ("id || fragment(title)", "id");
    assert_fails(fragments, each_address_is_right, "should be");
}
