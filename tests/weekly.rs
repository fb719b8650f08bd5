//! Promise: a new release that breaks the book is noticed within a week.
//!
//! The weekly workflow notices; here, that it runs, that it takes what is newest, that nothing keeps a new
//! release out, and that no failure passes unheard.

use model::{Problems, Project};
use verify::weekly;

#[test]
fn the_weekly_run_sees_every_new_release() {
    let project = Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here");
    let found = weekly::blind_spots(&project).expect("the workflows can be read");
    if let Err(problems) = Problems::none_in(found) {
        panic!("the book has problems:\n{problems}");
    }
}
