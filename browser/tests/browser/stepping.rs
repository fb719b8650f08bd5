//! Promise: a timeline can be stepped through, by mouse and by keyboard, and shows where in the listing its
//! tasks are.
//!
//! On the page that explains how to read one. Then the script is broken, and the same must fail.

use crate::scenes::Scenes;
use crate::shared::visit_changed;
use anyhow::Result;

fn scenes() -> Scenes {
    Scenes::parse(include_str!("scenes/stepping.txt"))
}

#[test]
fn a_timeline_is_stepped_through() -> Result<()> {
    scenes().play_all()
}

#[test]
fn a_broken_stepper_is_reported() {
    for (scene, change, message) in [
        (
            "By keyboard: left and right step through the run, up and down through a task",
            (
                "highlight(codes, step?.lines ?? [])",
                "highlight(codes, [3])",
            ),
            "`payment.await;` should be there",
        ),
        (
            "By mouse: a stretch of the picture highlights its line, and a line its stretches",
            ("step.lines.includes(line)", "false"),
            "it should be [\"15\"]",
        ),
    ] {
        let outcome = visit_changed("timelines.html", "timeline.js", change, async |visit| {
            scenes().play(visit, scene).await
        });
        let error = format!("{:#}", outcome.expect_err("the check passes"));
        assert!(error.contains(message), "{error}");
    }
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
