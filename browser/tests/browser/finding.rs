//! Promise: a reader finds a page by the words of a symptom, a question, a message or an API, by keyboard,
//! without a network and as a file, and the index stays small.

use crate::shared::{ROOT, site, visit, visit_changed};
use anyhow::{Context, Result, ensure};
use browser::{View, Visit};
use fantoccini::key::Key;
use flate2::Compression;
use flate2::write::GzEncoder;
use model::{Project, uses};
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
const ASKED: &str = "
429 | tasks/limiting.html#limiting-concurrency
too many open files | tasks/limiting.html#limiting-concurrency
hangs uses no cpu | tasks/limit_traps.html#buffer_unordered0-hangs-reject-a-limit-of-zero
memory grows | tasks/limit_traps.html#memory-grows-although-there-is-a-semaphore-the-permit-is-acquired-too-late
E0597 | tasks/waiting.html#borrowed-value-does-not-live-long-enough-a-task-cant-borrow
does not live long enough | tasks/waiting.html#borrowed-value-does-not-live-long-enough-a-task-cant-borrow
attempt to divide by zero | tasks/results.html#which-task-panicked-match-a-joinerror-to-its-input
results missing | tasks/results.html#results-are-missing-while-let-someok-stops-at-the-first-error
which task panicked | tasks/results.html#which-task-panicked-match-a-joinerror-to-its-input
JoinSet::join_next | tasks/waiting.html#
buffer_unordered | tasks/limiting.html#
rate limit | tasks/limiting.html#rate-limit-at-most-four-calls-a-second
limiting | tasks/limiting.html#
cancelling | concepts/cancel
semaph | tasks/limit_traps.html#memory-grows-although-there-is-a-semaphore-the-permit-is-acquired-too-late
semapohre | tasks/limit_traps.html#memory-grows-although-there-is-a-semaphore-the-permit-is-acquired-too-late
timeline | timelines.html
cannot be sent between threads safely | concepts/send.html#future-cannot-be-sent
Cannot start a runtime from within a runtime | concepts/runtime_panics.html#there-is-no-reactor-running
there is no reactor running | concepts/runtime_panics.html#there-is-no-reactor-running
all branches are disabled and there is no else branch | tasks/select_panics.html#all-branches-are-disabled
`async fn` resumed after completion | concepts/futures.html#async-fn-resumed-after-completion
JoinHandle polled after completion | tasks/select_panics.html#joinhandle-polled
";

async fn everything_is_found(visit: &Visit<'_>) -> Result<()> {
    for [query, expected] in rows(ASKED) {
        let found = find(visit, &query).await?;
        ensure!(
            found.iter().take(3).any(|it| it.contains(&expected)),
            "`{query}` should find {expected}, and finds {found:?}"
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
fn a_program_is_found_by_what_it_shows() -> Result<()> {
    visit("find.html", View::DESKTOP, async |visit| {
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
    visit("tasks/waiting.html", View::DESKTOP, async |visit| {
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
        let status: String = visit
            .ask("document.querySelector('#search [role=status]').textContent")
            .await?;
        assert!(status.contains("the best first"), "{status}");
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
fn an_empty_result_says_what_to_do() -> Result<()> {
    visit("find.html", View::DESKTOP, async |visit| {
        assert!(find(visit, "xylophone").await?.is_empty());
        let status: String = visit
            .ask("document.querySelector('#search [role=status]').textContent")
            .await?;
        assert_eq!(
            status,
            "No section has these words. Try fewer words, or look through the lists below."
        );
        Ok(())
    })
}

#[test]
fn finding_works_as_a_file() -> Result<()> {
    visit("find.html", View::DESKTOP, async |visit| {
        visit
            .open(&format!("file://{}/find.html", site()?.1.site.display()))
            .await?;
        let ready = "new Promise((done) => { const look = () => {
            if (document.activeElement?.id === 'query') done(true); else setTimeout(look, 20); }; look(); })";
        assert!(visit.ask::<bool>(ready).await?);
        assert!(!find(visit, "memory grows").await?.is_empty());
        assert_eq!(visit.console_errors().await?, Vec::<String>::new());
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
    let project = Project::open(ROOT)?;
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
