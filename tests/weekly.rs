//! Promise: a new release that breaks the book is noticed within a week.
//!
//! The weekly workflow notices. This test checks that the workflow tries the newest releases and reports failures.

#[test]
fn the_weekly_run_tries_every_new_release() {
    let project = model::Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here");
    scratch::assert_no_problems(verify::weekly_coverage::gaps(&project));
}
