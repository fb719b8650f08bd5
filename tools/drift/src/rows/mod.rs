//! The ways to break each promise, by what is broken.

pub mod api_names;
pub mod commands;
pub mod directives;
pub mod links;
pub mod mistakes;
pub mod numbers;
pub mod orphans;
pub mod outputs;
pub mod programs;
pub mod prose;
pub mod releases;
pub mod site;

use crate::breakage::{Breakage, Check};
use crate::snapshot::BookSnapshot;
use crate::text::{Line, pick};
use fastrand::Rng;
use pages::listing::ListingName;

/// A test in `tests/pages.rs`.
fn pages_test(name: &str) -> Check {
    Check::one("pages", name)
}

/// The test that runs a listing and compares its output.
fn outputs_test(name: &ListingName) -> Check {
    Check::one("outputs", name.to_string())
}

/// Writes a paragraph or block below a heading of some page. The check must name its line `reported`, from 0.
fn inserted(
    snapshot: &BookSnapshot,
    rng: &mut Rng,
    block: &str,
    reported: usize,
    check: Check,
) -> Option<Breakage> {
    let heading = pick(rng, snapshot.page_lines().filter(is_heading))?;
    let place = heading.place_below(2 + reported);
    let first = block.lines().find(|line| !line.trim().is_empty())?;
    let edit = heading.followed_by(&format!("\n{block}"));
    Some(Breakage::new(
        format!("{place} has: {first}"),
        edit,
        check,
        place,
    ))
}

fn is_heading(line: &Line<'_>) -> bool {
    line.text.starts_with('#')
}
