//! Promise: what a reader does on a page works: copying, running, choosing colors, finding the contents,
//! as a file, and without scripts.

use crate::shared::{ROOT, copy, site, visit, with_browser};
use anyhow::{Result, ensure};
use browser::{View, Visit};
use fantoccini::key::Key;
use model::source::Source;
use scratch::Scratch;
use std::path::Path;
use std::time::Duration;

const PAGE: &str = "tasks/waiting.html";
const FIGURE: &str = "figure[id=\"join_set.ship_all\"]";
const LISTING: &str = "listings/tasks/src/bin/join_set.rs";

fn program() -> String {
    let text =
        std::fs::read_to_string(Path::new(ROOT).join(LISTING)).expect("the listing is there");
    Source::parse(&text)
        .expect("its anchors are sound")
        .program_without_tests()
}

/// Presses the button of the listing that has this label.
async fn press(visit: &Visit<'_>, label: &str) -> Result<()> {
    let marked: bool = visit
        .ask(&format!(
            "(() => {{ const all = [...document.querySelectorAll('{FIGURE} button')];
            const found = all.find((it) => it.textContent === '{label}');
            document.querySelector('#pressed')?.removeAttribute('id');
            if (found) found.id = 'pressed';
            return Boolean(found); }})()"
        ))
        .await?;
    ensure!(marked, "the listing has no button `{label}`");
    visit.click("#pressed").await
}

#[test]
fn copying_gives_the_whole_program_or_the_shown_part_or_the_command() -> Result<()> {
    visit(PAGE, View::DESKTOP, async |visit| {
        visit.grant_clipboard().await?;
        let clipboard = "navigator.clipboard.readText()";
        press(visit, "Copy").await?;
        let copied: String = visit.ask(clipboard).await?;
        // What tests/skeptic.rs compiles and runs.
        assert_eq!(copied.trim_end(), program().trim_end());
        press(visit, "Copy part").await?;
        let part: String = visit.ask(clipboard).await?;
        assert!(
            part.starts_with("use std::{collections::HashMap, time::Duration};"),
            "{part}"
        );
        assert!(
            part.len() < copied.len() && !part.contains("fn main"),
            "{part}"
        );
        press(visit, "cargo run --bin join_set").await?;
        let command: String = visit.ask(clipboard).await?;
        assert_eq!(command, "cargo run --bin join_set");
        Ok(())
    })
}

#[test]
fn an_old_address_of_a_heading_leads_to_the_new_one() -> Result<()> {
    visit(PAGE, View::DESKTOP, async |visit| {
        let page: String = visit.ask("location.href").await?;
        let site = page.trim_end_matches(PAGE);
        let renamed = "tasks/select_spins.html#one-core-at-100--the-set-is-empty";
        let moved = "tasks/select_spins.html#the-deadline-never-comes";
        let on_a_moved_page = "tasks/lost_tasks.html#how-many-tasks-are-there";
        for (old, new) in [
            (
                renamed,
                "tasks/select_spins.html#100--cpu-join_next-on-an-empty-joinset",
            ),
            (
                moved,
                "tasks/select_starves.html#a-sleep-or-timeout-in-the-loop-never-fires",
            ),
            (
                on_a_moved_page,
                "tasks/ownership.html#leaked-tasks-count-the-tasks-that-are-alive",
            ),
        ] {
            visit.open(&format!("{site}{old}")).await?;
            let arrived = format!(
                "location.href === '{site}{new}' && document.querySelector(':target') !== null"
            );
            for _ in 0..100 {
                if visit.ask::<bool>(&arrived).await? {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let address: String = visit.ask("location.href").await?;
            ensure!(
                visit.ask::<bool>(&arrived).await?,
                "{old} leads to {address}, not to {new}"
            );
        }
        Ok(())
    })
}

#[test]
fn hidden_lines_can_be_shown() -> Result<()> {
    visit(PAGE, View::PHONE, async |visit| {
        let main = format!(
            "[...document.querySelectorAll('{FIGURE} .boring')].some((it) => it.offsetParent && it.textContent.includes('fn main'))"
        );
        assert!(!visit.ask::<bool>(&main).await?);
        visit.click(&format!("{FIGURE} .whole")).await?;
        assert!(visit.ask::<bool>(&main).await?);
        Ok(())
    })
}

/// The output below the listing after it was run.
const RAN: &str = "document.querySelector('.ran').textContent";

#[test]
fn running_without_a_network_shows_what_was_verified() -> Result<()> {
    visit(PAGE, View::DESKTOP, async |visit| {
        press(visit, "Run").await?;
        let wait = format!(
            "new Promise((done) => {{ const look = () => {{ const text = {RAN};
            if (text.includes('be reached')) done(text); else setTimeout(look, 20); }}; look(); }})"
        );
        let text: String = visit.ask(&wait).await?;
        assert!(text.contains("300 ms  all orders are done"), "{text}");
        assert!(text.contains("cargo run --bin join_set"), "{text}");
        Ok(())
    })
}

#[test]
fn running_sends_the_whole_program_to_the_playground_and_says_so() -> Result<()> {
    visit(PAGE, View::DESKTOP, async |visit| {
        // Instead of the Playground: the request is kept, and answered later.
        let _: bool = visit
            .ask(
                "(window.fetch = (address, options) => { window.asked = { address, ...JSON.parse(options.body) };
                return new Promise((done) => { window.answer = done; }); }, true)",
            )
            .await?;
        press(visit, "Run").await?;
        let text: String = visit.ask(RAN).await?;
        assert!(
            text.contains("300 ms  all orders are done"),
            "before any answer: {text}"
        );
        assert!(
            text.contains("is being sent to the Rust Playground (https://play.rust-lang.org)"),
            "{text}"
        );
        assert_eq!(
            visit.ask::<String>("asked.address").await?,
            "https://play.rust-lang.org/execute"
        );
        assert_eq!(visit.ask::<String>("asked.edition").await?, "2024");
        let sent: String = visit.ask("asked.code").await?;
        assert_eq!(sent.trim_end(), program().trim_end());
        let answered = format!(
            "(answer(new Response(JSON.stringify({{ success: true, stdout: 'from afar', stderr: '' }}))),
            new Promise((done) => setTimeout(() => done({RAN}), 50)))"
        );
        let text: String = visit.ask(&answered).await?;
        assert!(text.contains("Rust Playground:from afar"), "{text}");
        Ok(())
    })
}

const GROUND: &str = "getComputedStyle(document.documentElement).backgroundColor";

#[test]
fn the_chosen_colors_stay() -> Result<()> {
    visit(PAGE, View::DESKTOP, async |visit| {
        let light: String = visit.ask(GROUND).await?;
        visit.press("#colors", "dark").await?;
        let dark: String = visit.ask(GROUND).await?;
        assert_ne!(light, dark);
        let here: String = visit.ask("location.href").await?;
        visit.open(&here.replace("waiting", "limiting")).await?;
        assert_eq!(visit.ask::<String>(GROUND).await?, dark);
        Ok(())
    })
}

const CONTENTS: &str = "getComputedStyle(document.querySelector('#contents')).display !== 'none'";

#[test]
fn the_contents_open_and_close_on_a_phone() -> Result<()> {
    visit(PAGE, View::PHONE, async |visit| {
        assert!(!visit.ask::<bool>(CONTENTS).await?);
        visit.click(".menu").await?;
        assert!(visit.ask::<bool>(CONTENTS).await?);
        let here: String = visit
            .ask("document.querySelector('#contents .active').textContent")
            .await?;
        assert_eq!(here, "Waiting for many tasks");
        visit
            .press(".menu", &char::from(Key::Escape).to_string())
            .await?;
        assert!(!visit.ask::<bool>(CONTENTS).await?);
        Ok(())
    })
}

#[test]
fn a_page_works_in_a_folder_of_a_larger_site() -> Result<()> {
    let scratch = Scratch::sound();
    copy(&scratch, "site/docs/book")?;
    let above = scratch.path("site");
    let page = "docs/book/tasks/waiting.html";
    with_browser(|browser| {
        browser.visit(&above, page, View::DESKTOP, async |visit| {
        let found: (usize, usize) = visit
            .ask(
                "new Promise((done) => setTimeout(() => done([
                document.querySelectorAll('#contents a').length,
                document.querySelectorAll('.stepper input').length]), 300))",
            )
            .await?;
        ensure!(found.0 > 5 && found.1 > 0, "{found:?}");
        visit.press("body", &format!("{}k{}", char::from(Key::Control), char::from(Key::Null))).await?;
        let arrived = "new Promise((done) => { const look = () => {
            if (document.getElementById('query')) done(location.pathname); else setTimeout(look, 20); }; look(); })";
        assert_eq!(visit.ask::<String>(arrived).await?, "/docs/book/find.html");
        assert_eq!(visit.console_errors().await?, Vec::<String>::new());
        Ok(())
    })
    })
}

/// A page, and the script that brings it into a state as a reader would.
type State = (&'static str, &'static str);

const STATES: [State; 4] = [
    ("tasks/waiting.html", "document.querySelector('#contents').showPopover()"),
    (
        "find.html",
        "((query) => { query.value = 'memory'; query.dispatchEvent(new Event('input')); })(document.querySelector('#query'))",
    ),
    (
        "timelines.html",
        "((slider) => { slider.value = 3; slider.dispatchEvent(new Event('input'));
        document.querySelector('details').open = true; })(document.querySelector('.stepper input'))",
    ),
    (
        "tasks/waiting.html",
        "[...document.querySelectorAll('.whole')].forEach((box) => box.click()),
        [...document.querySelectorAll('.tools button')].filter((it) => it.textContent === 'Run').slice(0, 3).forEach((it) => it.click())",
    ),
];

#[test]
fn pages_are_accessible_in_every_state() -> Result<()> {
    for (page, state) in STATES {
        for view in View::ALL {
            let found = visit(page, view, async |visit| {
                let _: bool = visit
                    .ask(&format!("new Promise((done) => setTimeout(() => {{ {state}; setTimeout(() => done(true), 200); }}, 300))"))
                    .await?;
                visit.violations().await
            })?;
            assert_eq!(found, Vec::<String>::new(), "{page} ({view}) after {state}");
        }
    }
    Ok(())
}

#[test]
fn a_state_with_a_violation_is_reported() -> Result<()> {
    visit("find.html", View::DESKTOP, async |visit| {
        let _: bool = visit
            .ask("(document.querySelector('#search label').remove(), true)")
            .await?;
        let found = visit.violations().await?;
        assert!(found.iter().any(|it| it.contains("label")), "{found:?}");
        Ok(())
    })
}

#[test]
fn a_page_works_as_a_file() -> Result<()> {
    visit("timelines.html", View::DESKTOP, async |visit| {
        for page in ["timelines.html", "tasks/waiting.html"] {
            visit
                .open(&format!("file://{}", site()?.1.site.join(page).display()))
                .await?;
            let found: (usize, usize, usize) = visit
                .ask(
                    "new Promise((done) => setTimeout(() => done([
                    document.querySelectorAll('#contents a').length,
                    document.querySelectorAll('.hljs-keyword').length,
                    document.querySelectorAll('.stepper input').length]), 300))",
                )
                .await?;
            let (links, colored, steppers) = found;
            ensure!(
                links > 5 && colored > 5 && steppers > 0,
                "{page}: {found:?}"
            );
        }
        assert_eq!(visit.console_errors().await?, Vec::<String>::new());
        Ok(())
    })
}

#[test]
fn a_page_can_be_read_without_scripts() -> Result<()> {
    visit("tasks/waiting.html", View::DESKTOP, async |visit| {
        let here: String = visit.ask("location.href").await?;
        visit.run_scripts(false).await?;
        visit.open(&here).await?;
        let found: (usize, usize, usize, bool) = visit
            .ask(
                "[document.querySelectorAll('.hljs-keyword').length,
                document.querySelectorAll('svg.course .run').length,
                document.querySelectorAll('#contents iframe').length,
                [...document.querySelectorAll('.stepper, .needs-script')].every((it) => !it.offsetParent)]",
            )
            .await?;
        let (colored, boxes, contents, is_hidden) = found;
        visit.run_scripts(true).await?;
        ensure!(
            colored == 0 && boxes > 20 && contents == 1 && is_hidden,
            "without scripts: {found:?}"
        );
        Ok(())
    })
}
