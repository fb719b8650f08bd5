//! Promise: a reader finds a page by the words of a symptom, a question, a message or an API, by keyboard,
//! without a network and as a file, and the index stays small.

use anyhow::{Result, ensure};
use browser::{Browser, View, Visit};
use fantoccini::key::Key;
use flate2::Compression;
use flate2::write::GzEncoder;
use render::find::{search, sections};
use model::{Project, uses};
use render::site;
use scratch::Scratch;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Builds the book, with this change of its finding script, and opens a page of it.
fn visit(
    page: &str,
    change: (&str, &str),
    acts: impl AsyncFnOnce(&Visit<'_>, PathBuf) -> Result<()>,
) -> Result<()> {
    let scratch = Scratch::sound();
    let folder = scratch.path("built");
    site::build(&Project::open(ROOT)?, &folder)?;
    let script = folder.join("find.js");
    let text = std::fs::read_to_string(&script)?;
    ensure!(text.contains(change.0), "the script has no `{}`", change.0);
    std::fs::write(&script, text.replace(change.0, change.1))?;
    let built = folder.clone();
    Browser::start()?.visit(&folder, page, View::DESKTOP, async |visit| {
        acts(visit, built).await
    })
}

/// The addresses that are found, the best first, without what lies before the page.
const FOUND: &str = "[...document.querySelectorAll('#search li a')].map((it) => it.href.split('/').slice(-2).join('/'))";

async fn find(visit: &Visit<'_>, query: &str) -> Result<Vec<String>> {
    let _: bool = visit
        .ask("(document.querySelector('#query').value = '', true)")
        .await?;
    visit.press("#query", query).await?;
    visit.ask(FOUND).await
}

/// What readers ask, and where the answer must be among the first three.
const ASKED: &[(&str, &str)] = &[
    ("429", "tasks/limiting.html#limiting-concurrency"),
    (
        "too many open files",
        "tasks/limiting.html#limiting-concurrency",
    ),
    (
        "hangs uses no cpu",
        "tasks/limit_traps.html#it-hangs-and-uses-no-cpu",
    ),
    (
        "memory grows",
        "tasks/limit_traps.html#memory-grows-in-spite-of-a-semaphore",
    ),
    (
        "E0597",
        "tasks/waiting.html#borrowed-value-does-not-live-long-enough",
    ),
    (
        "does not live long enough",
        "tasks/waiting.html#borrowed-value-does-not-live-long-enough",
    ),
    (
        "attempt to divide by zero",
        "tasks/results.html#which-task-was-it",
    ),
    (
        "results missing",
        "tasks/results.html#results-are-missing-and-nobody-was-told",
    ),
    (
        "which task panicked",
        "tasks/results.html#which-task-was-it",
    ),
    ("JoinSet::join_next", "tasks/waiting.html#"),
    ("buffer_unordered", "tasks/limiting.html#"),
    (
        "rate limit",
        "tasks/limiting.html#at-most-four-a-second-rate-limit",
    ),
    ("limiting", "tasks/limiting.html#"),
    // Another form of the word, a part of it, and a slip.
    ("cancelling", "concepts/cancel"),
    (
        "semaph",
        "tasks/limit_traps.html#memory-grows-in-spite-of-a-semaphore",
    ),
    (
        "semapohre",
        "tasks/limit_traps.html#memory-grows-in-spite-of-a-semaphore",
    ),
    ("timeline", "timelines.html"),
    // Messages, as they were printed.
    (
        "cannot be sent between threads safely",
        "concepts/send.html#future-cannot-be-sent",
    ),
    (
        "Cannot start a runtime from within a runtime",
        "concepts/runtime_panics.html#there-is-no-reactor-running",
    ),
    (
        "there is no reactor running",
        "concepts/runtime_panics.html#there-is-no-reactor-running",
    ),
    (
        "all branches are disabled and there is no else branch",
        "tasks/select.html#all-branches-are-disabled",
    ),
    (
        "`async fn` resumed after completion",
        "concepts/futures.html#async-fn-resumed-after-completion",
    ),
    (
        "JoinHandle polled after completion",
        "tasks/select_spins.html#",
    ),
];

async fn everything_is_found(visit: &Visit<'_>) -> Result<()> {
    for (query, expected) in ASKED {
        let found = find(visit, query).await?;
        ensure!(
            found.iter().take(3).any(|it| it.contains(expected)),
            "`{query}` should find {expected}, and finds {found:?}"
        );
    }
    Ok(())
}

/// The message that a reader pastes, and the pages that explain it, for each in the index of messages.
fn messages() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let project = Project::open(ROOT)?;
    let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for section in sections::all(&project)?.as_ref().clone() {
        let page = section.page.replace(".md", ".html#");
        for message in section.messages {
            messages.entry(message).or_default().insert(page.clone());
        }
    }
    Ok(messages)
}

/// Pastes a text into the box, as a whole.
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
    visit("find.html", ("", ""), async |visit, _| {
        each_message_leads_to_its_page(visit).await
    })
}

#[test]
fn a_message_that_leads_elsewhere_is_told() -> Result<()> {
    let outcome = visit(
        "find.html",
        ("words.includes(pasted)", "false"),
        async |visit, _| each_message_leads_to_its_page(visit).await,
    );
    let error = outcome.expect_err("it is not told").to_string();
    assert!(error.contains("should lead to"), "{error}");
    Ok(())
}

#[test]
fn what_readers_ask_is_found() -> Result<()> {
    visit("find.html", ("", ""), async |visit, _| {
        everything_is_found(visit).await
    })
}

#[test]
fn an_answer_that_is_not_found_is_told() -> Result<()> {
    for (change, told) in [
        (
            (
                "add(stem(word), index, WEIGHTS[kind])",
                "add(word[0], index, 1)",
            ),
            "`429` should find",
        ),
        (("isNear(known, other)", "false"), "`semapohre` should find"),
        (("other.startsWith(known)", "false"), "`semaph` should find"),
    ] {
        let outcome = visit("find.html", change, async |visit, _| {
            everything_is_found(visit).await
        });
        let error = outcome.expect_err("it is not told").to_string();
        assert!(error.starts_with(told), "{error}");
    }
    Ok(())
}

#[test]
fn a_program_is_found_by_what_it_shows() -> Result<()> {
    visit("find.html", ("", ""), async |visit, _| {
        let found = find(visit, "count what each kind of limit allocates").await?;
        assert_eq!(
            found.first().map(String::as_str),
            Some("tasks/limiting.html#limit_cost.three_limits")
        );
        Ok(())
    })
}

#[test]
fn finding_works_by_keyboard_alone() -> Result<()> {
    visit("tasks/waiting.html", ("", ""), async |visit, _| {
        let key = |key: Key| char::from(key).to_string();
        visit
            .press(
                "body",
                &format!("{}k{}", char::from(Key::Control), char::from(Key::Null)),
            )
            .await?;
        let is_there = "new Promise((done) => { const look = () => {
            if (document.activeElement?.id === 'query') done(true); else setTimeout(look, 20); }; look(); })";
        assert!(visit.ask::<bool>(is_there).await?);
        visit.press("#query", "memory grows").await?;
        let told: String = visit
            .ask("document.querySelector('#search [role=status]').textContent")
            .await?;
        assert!(told.contains("the best first"), "{told}");
        visit.press("#query", &key(Key::Down)).await?;
        assert_eq!(
            visit
                .ask::<String>("document.activeElement.localName")
                .await?,
            "a"
        );
        visit.press("#search li a", &key(Key::Escape)).await?;
        assert_eq!(
            visit.ask::<String>("document.activeElement.id").await?,
            "query"
        );
        visit
            .press("#query", &format!("memory grows{}", key(Key::Enter)))
            .await?;
        let arrived = "new Promise((done) => { const look = () => {
            if (location.pathname.endsWith('symptoms.html')) done(location.hash); else setTimeout(look, 20); }; look(); })";
        let hash: String = visit.ask(arrived).await?;
        assert_eq!(hash, "#memory-grows");
        Ok(())
    })
}

#[test]
fn what_is_not_there_is_said_with_what_to_do() -> Result<()> {
    visit("find.html", ("", ""), async |visit, _| {
        assert!(find(visit, "xylophone").await?.is_empty());
        let told: String = visit
            .ask("document.querySelector('#search [role=status]').textContent")
            .await?;
        assert_eq!(
            told,
            "Nothing has these words. Try fewer, or look through the lists below."
        );
        Ok(())
    })
}

#[test]
fn finding_works_as_a_file() -> Result<()> {
    visit("find.html", ("", ""), async |visit, folder| {
        visit.complaints().await?;
        visit
            .open(&format!("file://{}/find.html", folder.display()))
            .await?;
        let ready = "new Promise((done) => { const look = () => {
            if (document.activeElement?.id === 'query') done(true); else setTimeout(look, 20); }; look(); })";
        assert!(visit.ask::<bool>(ready).await?);
        assert!(!find(visit, "memory grows").await?.is_empty());
        assert_eq!(visit.complaints().await?, Vec::<String>::new());
        Ok(())
    })
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
fn the_index_takes_less_than_a_kilobyte_for_each_page() -> Result<()> {
    let project = Project::open(Path::new(ROOT))?;
    let size = compressed(&search::index(&sections::all(&project)?).to_string());
    let pages = uses::pages_below(&project, "src").len() - 2;
    assert!(
        size < 1_000 * pages,
        "the index takes {size} bytes, compressed, for {pages} pages, and may take 1,000 for each"
    );
    Ok(())
}

#[test]
fn every_entry_of_the_index_leads_somewhere() -> Result<()> {
    let project = Project::open(Path::new(ROOT))?;
    let scratch = Scratch::sound();
    let folder = scratch.path("built");
    site::build(&project, &folder)?;
    let index = search::index(&sections::all(&project)?);
    let entries: Vec<(usize, String, String, String)> =
        serde_json::from_value(index["entries"].clone())?;
    let pages: Vec<(String, String)> = serde_json::from_value(index["pages"].clone())?;
    assert!(entries.len() > 100);
    for (page, id, _, title) in entries {
        let file = &pages[page].0;
        let html = std::fs::read_to_string(folder.join(file))?;
        assert!(
            id.is_empty() || html.contains(&format!("id=\"{id}\"")),
            "`{title}` is said to be at {file}#{id}, and is not"
        );
    }
    Ok(())
}
