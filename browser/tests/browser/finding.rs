//! Promise: a reader finds a page by the words of a symptom, a question, a message or an API, by keyboard,
//! without a network and as a file, and the index stays small.

use crate::scenes::Scenes;
use crate::shared::{ROOT, visit, visit_changed};
use anyhow::{Result, ensure};
use browser::{View, Visit};
use flate2::Compression;
use flate2::write::GzEncoder;
use model::Project;
use render::find::{search, sections};
use scratch::rows;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

/// The addresses of the results, the best first, without the folders above the page's.
const FOUND: &str = "[...document.querySelectorAll('#search li a')].map((it) => it.href.split('/').slice(-2).join('/'))";

/// What readers ask (words, other forms of a word, parts, typos, messages as they were printed, and whole questions from public
/// threads), and the beginnings of the addresses that answer it.
const ASKED: &str = include_str!("scenes/asked.txt");
/// How many of a hundred must lead to an answer by the first result.
const BY_THE_FIRST: usize = 79;
/// How many of a hundred must lead to an answer by the first three results.
const BY_THE_FIRST_THREE: usize = 93;

async fn readers_find(visit: &Visit<'_>) -> Result<()> {
    let (mut first, mut first_three, mut missed) = (0, 0, String::new());
    let asked = rows(ASKED);
    let queries: Vec<_> = asked.iter().map(|[query, _]| query.as_str()).collect();
    let all = find(visit, &queries).await?;
    for ([query, answers], found) in asked.iter().zip(all) {
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
    }
    Ok(())
}

/// Every message in the index of messages, with the pages that explain it.
fn messages() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let project = Project::open(ROOT)?;
    let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for section in sections::all(&project)?.iter() {
        let page = section.page.replace(".md", ".html#");
        for message in &section.messages {
            messages
                .entry(message.clone())
                .or_default()
                .insert(page.clone());
        }
    }
    Ok(messages)
}

/// Pastes each text into the search box, and returns what each finds.
async fn find(visit: &Visit<'_>, queries: &[&str]) -> Result<Vec<Vec<String>>> {
    let queries = serde_json::to_string(queries)?;
    visit
        .ask(&format!(
            "{queries}.map((query) => {{ const box = document.querySelector('#query'); box.value = query; \
             box.dispatchEvent(new Event('input')); return {FOUND}; }})"
        ))
        .await
}

async fn each_message_leads_to_its_page(visit: &Visit<'_>) -> Result<()> {
    let messages = messages()?;
    ensure!(messages.len() > 50, "only {} messages", messages.len());
    let mut wrong = Vec::new();
    let queries: Vec<_> = messages.keys().map(String::as_str).collect();
    let all = find(visit, &queries).await?;
    for ((message, pages), found) in messages.iter().zip(all) {
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

#[test]
fn each_message_leads_to_its_page_within_three_results() -> Result<()> {
    visit("find.html", View::DESKTOP, each_message_leads_to_its_page)
}

/// A title finds its own section. (The address of a section is made from its title, in find.js.)
async fn each_title_leads_to_its_section(visit: &Visit<'_>) -> Result<()> {
    let mut wrong = Vec::new();
    let sections = sections::all(&Project::open(ROOT)?)?;
    let queries: Vec<_> = sections.iter().map(|it| it.title.as_str()).collect();
    let all = find(visit, &queries).await?;
    for (section, found) in sections.iter().zip(all) {
        let address = section.link().replace(".md#", ".html#");
        let is_here = |it: &String| it.ends_with(&address);
        if section.title != "See also" && !found.iter().any(is_here) {
            wrong.push(format!("`{}` should lead to {address}", section.title));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn each_title_leads_to_its_section_among_the_results() -> Result<()> {
    visit("find.html", View::DESKTOP, each_title_leads_to_its_section)
}

#[test]
fn readers_find_what_they_ask() -> Result<()> {
    visit("find.html", View::DESKTOP, readers_find)
}

/// Changes the script, and demands that a check fails with this message.
fn assert_fails(
    change: (&str, &str),
    check: impl AsyncFnOnce(&Visit<'_>) -> Result<()>,
    message: &str,
) {
    let outcome = visit_changed("find.html", "find.js", change, check);
    let error = outcome.expect_err("the check passes").to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn a_broken_search_is_reported() {
    let all = ("fields: Object.keys(BOOST)", "fields: ['captions']");
    assert_fails(all, readers_find, "queries find an answer in");
    let pasted = ("ranked = sections.filter", "ranked = [].filter");
    assert_fails(pasted, each_message_leads_to_its_page, "should lead to");
    let fragments = ("id || fragment(title)", "id");
    assert_fails(fragments, each_title_leads_to_its_section, "should lead to");
}

#[test]
fn a_reader_finds_by_keyboard_by_a_caption_and_without_a_network() -> Result<()> {
    Scenes::parse(include_str!("scenes/finding.txt")).play_all()
}

/// The size of a text as servers send it.
fn compressed(text: &str) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(text.as_bytes())
        .expect("a Vec takes everything");
    encoder.finish().expect("a Vec takes everything").len()
}

#[test]
fn the_index_takes_less_than_150_kilobytes() -> Result<()> {
    let project = Project::open(ROOT)?;
    let size = compressed(&search::index(&sections::all(&project)?).to_string());
    assert!(
        size < 150_000,
        "the index takes {size} bytes, compressed, and may take 150,000"
    );
    Ok(())
}
