//! Promise: a reader finds a page by the words of a symptom, a question, a message or an API, by keyboard,
//! without a network and as a file, and the index stays small.

use crate::scenes::Scenes;
use crate::shared::{ROOT, site, visit, visit_changed};
use anyhow::{Context, Result, ensure};
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

async fn find(visit: &Visit<'_>, query: &str) -> Result<Vec<String>> {
    let _: bool = visit
        .ask("(document.querySelector('#query').value = '', true)")
        .await?;
    visit.press("#query", query).await?;
    visit.ask(FOUND).await
}

/// What readers ask (words, other forms of a word, parts, typos, and messages as they were printed), and the address
/// that must be among the first three results.
const ASKED: &str = include_str!("scenes/asked.txt");

async fn everything_is_found(visit: &Visit<'_>) -> Result<()> {
    let mut wrong = String::new();
    for [query, expected] in rows(ASKED) {
        let mut found = find(visit, &query).await?;
        found.truncate(3);
        if !found.iter().any(|it| it.contains(&expected)) {
            wrong += &format!("`{query}` should find {expected}, and finds {found:?}\n");
        }
    }
    ensure!(wrong.is_empty(), "{wrong}");
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

/// Pastes a text into the search box.
async fn paste(visit: &Visit<'_>, query: &str) -> Result<Vec<String>> {
    let query = serde_json::to_string(query)?;
    let _: bool = visit
        .ask(&format!(
            "(() => {{ const box = document.querySelector('#query'); box.value = {query}; \
             box.dispatchEvent(new Event('input')); return true; }})()"
        ))
        .await?;
    visit.ask(FOUND).await
}

async fn each_message_leads_to_its_page(visit: &Visit<'_>) -> Result<()> {
    let messages = messages()?;
    ensure!(messages.len() > 50, "only {} messages", messages.len());
    let mut wrong = Vec::new();
    for (message, pages) in messages {
        let found = paste(visit, &message).await?;
        let first = found.first().cloned().unwrap_or_default();
        if !pages.iter().any(|page| first.starts_with(page.as_str())) {
            wrong.push(format!(
                "`{message}` should lead to {pages:?}, and leads to {first}"
            ));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn each_message_leads_to_its_page_as_the_first_result() -> Result<()> {
    visit("find.html", View::DESKTOP, each_message_leads_to_its_page)
}

#[test]
fn readers_find_what_they_ask() -> Result<()> {
    visit("find.html", View::DESKTOP, everything_is_found)
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
    let all = "add(stem(word), index, WEIGHTS[kind])";
    assert_fails(
        (all, "add(word[0], index, 1)"),
        everything_is_found,
        "`429` should find",
    );
    let near = ("isNear(known, other)", "false");
    assert_fails(near, everything_is_found, "`semapohre` should find");
    let start = ("other.startsWith(known)", "false");
    assert_fails(start, everything_is_found, "`semaph` should find");
    let pasted = ("words.includes(pasted)", "false");
    assert_fails(pasted, each_message_leads_to_its_page, "should lead to");
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

#[test]
fn every_entry_of_the_index_leads_somewhere() -> Result<()> {
    let (project, book) = site()?;
    let index = search::index(&sections::all(project)?);
    let entries: Vec<(usize, String, String, String)> =
        serde_json::from_value(index["entries"].clone())?;
    let pages: Vec<(String, String)> = serde_json::from_value(index["pages"].clone())?;
    assert!(entries.len() > 100);
    for (page, id, _, title) in entries {
        let file = &pages[page].0;
        let html = std::fs::read_to_string(book.site.join(file)).with_context(|| file.clone())?;
        assert!(
            id.is_empty() || html.contains(&format!("id=\"{id}\"")),
            "`{title}` is said to be at {file}#{id}, and is not"
        );
    }
    Ok(())
}
