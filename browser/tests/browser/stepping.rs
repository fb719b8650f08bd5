//! Promise: a timeline can be stepped through, by mouse and by keyboard, and shows where in the listing its
//! tasks are.
//!
//! On the page that tells how to read one. Then the script is broken, and the same must fail.

use crate::shared::{visit, visit_changed};
use anyhow::{Result, ensure};
use browser::{View, Visit};
use fantoccini::key::Key;

const PAGE: &str = "timelines.html";
const SLIDER: &str = ".stepper input";

/// The highlighted line of the listing: the text under the middle of its band.
const HIGHLIGHTED: &str = "(() => {
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

/// The current step, in words.
const STEP: &str = "document.querySelector('.stepper p').textContent";

async fn equals(visit: &Visit<'_>, expression: &str, expected: &str) -> Result<()> {
    let found: String = visit.ask(expression).await?;
    ensure!(
        found.contains(expected),
        "`{expected}` should be there, and there is `{found}`"
    );
    Ok(())
}

/// Left and right step through the run, up and down through a task.
async fn by_keyboard(visit: &Visit<'_>) -> Result<()> {
    let press = async |key: Key| visit.press(SLIDER, &char::from(key).to_string()).await;
    press(Key::Right).await?;
    equals(visit, HIGHLIGHTED, "payment.await;").await?;
    equals(visit, STEP, "main starts, spawns pay and remind").await?;
    press(Key::Right).await?;
    equals(
        visit,
        HIGHLIGHTED,
        "sleep(Duration::from_millis(200)).await;",
    )
    .await?;
    press(Key::Down).await?;
    equals(
        visit,
        STEP,
        "pay is woken by the clock, prints 1: paid, and finishes",
    )
    .await?;
    press(Key::Up).await?;
    equals(visit, STEP, "pay starts and waits for sleep").await?;
    press(Key::End).await?;
    equals(visit, HIGHLIGHTED, "println!(\"shipped\");").await?;
    press(Key::Home).await?;
    equals(visit, STEP, "").await?;
    ensure!(
        visit.ask::<String>(HIGHLIGHTED).await?.is_empty(),
        "before the first step, no line is highlighted"
    );
    for _ in 0..3 {
        visit.click(".stepper button:last-of-type").await?;
    }
    visit.click(".stepper button:first-of-type").await?;
    equals(visit, STEP, "pay starts").await
}

/// Moves the mouse to a point of the picture: a part of its width, and a lane.
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

/// A stretch of the picture highlights its line, and a line its stretches.
async fn by_mouse(visit: &Visit<'_>) -> Result<()> {
    point_at(visit, 0.3, 2.0).await?;
    equals(visit, STEP, "remind starts and waits for sleep").await?;
    equals(
        visit,
        HIGHLIGHTED,
        "sleep(Duration::from_millis(400)).await;",
    )
    .await?;
    point_at(visit, 0.9, 0.0).await?;
    equals(
        visit,
        HIGHLIGHTED,
        "sleep(Duration::from_millis(100)).await;",
    )
    .await?;
    // HIGHLIGHTED has scrolled the line into view.
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
        "the line should highlight one stretch in the lane of main, and it highlights those at {stretches:?}"
    );
    Ok(())
}

#[test]
fn a_timeline_is_stepped_through_by_keyboard() -> Result<()> {
    visit(PAGE, View::DESKTOP, by_keyboard)
}

#[test]
fn a_timeline_is_stepped_through_by_mouse() -> Result<()> {
    visit(PAGE, View::DESKTOP, by_mouse)
}

#[test]
fn a_step_that_highlights_another_line_is_reported() {
    let change = (
        "highlight(codes, step?.lines ?? [])",
        "highlight(codes, [3])",
    );
    let outcome = visit_changed(PAGE, "timeline.js", change, by_keyboard);
    let error = outcome.expect_err("the check passes").to_string();
    assert!(
        error.starts_with("`payment.await;` should be there"),
        "{error}"
    );
}

#[test]
fn a_line_that_highlights_no_stretch_is_reported() {
    let change = ("step.lines.includes(line)", "false");
    let outcome = visit_changed(PAGE, "timeline.js", change, by_mouse);
    let error = outcome.expect_err("the check passes").to_string();
    assert!(
        error.starts_with("the line should highlight one stretch"),
        "{error}"
    );
}

#[test]
fn the_script_is_small() {
    let script = include_str!("../../../src/timeline.js");
    assert!(
        script.len() < 10_000,
        "src/timeline.js has {} bytes; a page with a timeline loads it, so keep it below 10,000",
        script.len()
    );
}
