//! Promise: a timeline can be stepped through, by mouse and by keyboard, and shows where in the listing its
//! tasks are.
//!
//! On the page that tells how to read one. Then the script is broken, and the same must fail.

use anyhow::{Context, Result, ensure};
use browser::{Browser, View, Visit};
use fantoccini::key::Key;
use model::Project;
use render::site;
use scratch::Scratch;
use std::fs;
use std::path::Path;

const PAGE: &str = "timelines.html";
const SLIDER: &str = ".stepper input";

/// The line of the listing that is lit: what stands under the middle of its band.
const LIT: &str = "(() => {
    const band = document.querySelector('.line-here:not(.around)');
    if (!band) return '';
    band.scrollIntoView({ block: 'center' });
    const box = band.getBoundingClientRect();
    const code = band.parentElement.querySelector('code');
    const left = code.getBoundingClientRect().left + 120;
    const caret = document.caretRangeFromPoint(left, box.top + box.height / 2);
    const before = new Range();
    before.setStart(code, 0);
    before.setEnd(caret.startContainer, caret.startOffset);
    const line = before.toString().split('\\n').length;
    return code.textContent.split('\\n')[line - 1].trim();
})()";

/// What is told below the picture.
const TOLD: &str = "document.querySelector('.stepper p').textContent";

/// A site with the page of the book, in a folder of its own.
fn built(book: &Scratch) -> Result<std::path::PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let folder = book.path("built");
    site::build(&Project::open(root)?, &folder)?;
    Ok(folder)
}

/// Looks at the page with this change of its script, from and to; none where both are the same.
fn stepping(from: &str, to: &str, acts: impl AsyncFnOnce(&Visit<'_>) -> Result<()>) -> Result<()> {
    let book = Scratch::sound();
    let folder = built(&book)?;
    let script = folder.join("timeline.js");
    let text = fs::read_to_string(&script)?;
    ensure!(text.contains(from), "the script has no `{from}`");
    fs::write(&script, text.replace(from, to))?;
    Browser::start()?.visit(&folder, PAGE, View::DESKTOP, acts)
}

async fn equals(visit: &Visit<'_>, expression: &str, expected: &str) -> Result<()> {
    let found: String = visit.ask(expression).await?;
    ensure!(
        found.contains(expected),
        "`{expected}` should be there, and there is `{found}`"
    );
    Ok(())
}

/// Left and right go through the run, up and down through a task.
async fn by_keyboard(visit: &Visit<'_>) -> Result<()> {
    let press = async |key: Key| visit.press(SLIDER, &char::from(key).to_string()).await;
    press(Key::Right).await?;
    equals(visit, LIT, "payment.await?;").await?;
    equals(visit, TOLD, "main begins, spawns pay and remind").await?;
    press(Key::Right).await?;
    equals(visit, LIT, "sleep(Duration::from_millis(200)).await;").await?;
    press(Key::Down).await?;
    equals(
        visit,
        TOLD,
        "pay is woken by the clock, prints 1: paid, and ends",
    )
    .await?;
    press(Key::Up).await?;
    equals(visit, TOLD, "pay begins and waits for sleep").await?;
    press(Key::End).await?;
    equals(visit, LIT, "println!(\"shipped\");").await?;
    press(Key::Home).await?;
    equals(visit, TOLD, "").await?;
    ensure!(
        visit.ask::<String>(LIT).await?.is_empty(),
        "before the first step, no line is lit"
    );
    for _ in 0..3 {
        visit.click(".stepper button:last-of-type").await?;
    }
    visit.click(".stepper button:first-of-type").await?;
    equals(visit, TOLD, "pay begins").await
}

/// The point of the picture that lies so far to the right and down, in pixels.
async fn point_at(visit: &Visit<'_>, right: f64, lane: f64) -> Result<()> {
    let _: bool = visit
        .ask("(document.querySelector('svg.course').scrollIntoView({ block: 'center' }), true)")
        .await?;
    let place: (f64, f64, f64, f64) = visit
        .ask(
            "(() => { const svg = document.querySelector('svg.course');
            const box = svg.getBoundingClientRect();
            return [box.left, box.top, box.width, Number(svg.dataset.lane)]; })()",
        )
        .await?;
    let (left, top, width, height) = place;
    visit
        .point(left + width * right, top + height * (lane + 0.7))
        .await
}

/// A stretch of the picture lights its line, and a line its stretches.
async fn by_mouse(visit: &Visit<'_>) -> Result<()> {
    point_at(visit, 0.3, 2.0).await?;
    equals(visit, TOLD, "remind begins and waits for sleep").await?;
    equals(visit, LIT, "sleep(Duration::from_millis(400)).await;").await?;
    point_at(visit, 0.9, 0.0).await?;
    equals(visit, LIT, "sleep(Duration::from_millis(100)).await;").await?;
    // LIT has brought the line onto the screen.
    let (x, y): (f64, f64) = visit
        .ask(
            "(() => { const box = document.querySelector('.line-here').getBoundingClientRect();
            return [box.left + 120, box.top + box.height / 2]; })()",
        )
        .await?;
    visit.point(x, y).await?;
    let stretches: Vec<String> = visit
        .ask("[...document.querySelectorAll('svg.course .there')].map((box) => box.getAttribute('y'))")
        .await?;
    ensure!(
        stretches == ["15"],
        "the line should light one stretch in the lane of main, and it lights those at {stretches:?}"
    );
    Ok(())
}

#[test]
fn a_timeline_is_stepped_through_by_keyboard() -> Result<()> {
    stepping("", "", by_keyboard)
}

#[test]
fn a_timeline_is_stepped_through_by_mouse() -> Result<()> {
    stepping("", "", by_mouse)
}

#[test]
fn a_step_that_lights_another_line_is_told() -> Result<()> {
    let told = stepping(
        "highlight(codes, step?.lines ?? [])",
        "highlight(codes, [3])",
        by_keyboard,
    );
    let told = told.err().context("it is not told")?.to_string();
    assert!(
        told.starts_with("`payment.await?;` should be there"),
        "{told}"
    );
    Ok(())
}

#[test]
fn a_line_that_lights_no_stretch_is_told() -> Result<()> {
    let told = stepping("step.lines.includes(line)", "false", by_mouse);
    let told = told.err().context("it is not told")?.to_string();
    assert!(
        told.starts_with("the line should light one stretch"),
        "{told}"
    );
    Ok(())
}

#[test]
fn the_script_is_small() {
    let script = include_str!("../../src/timeline.js");
    assert!(
        script.len() < 10_000,
        "src/timeline.js has {} bytes; a page with a timeline loads it, so keep it below 10,000",
        script.len()
    );
}
