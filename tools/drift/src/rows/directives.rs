//! Directives: listings and anchors that they name exist and have code.

use super::pages_test;
use crate::breakage::{Breakage, Check, Edit};
use crate::snapshot::BookSnapshot;
use crate::text::{pick, substituted};
use fastrand::Rng;

/// Promise 7.
pub fn misspelled_directives(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let mut breakages = Vec::new();
    for (expression, replacement, what) in [
        (
            r"^\{\{#listing (\w+/\w+?)\w(:\w+)?\}\}$",
            "{{#listing ${1}${2}}}",
            "names a listing that doesn't exist",
        ),
        (
            r"^\{\{#listing (\w+/\w+:\w+)\}\}$",
            "{{#listing ${1}s}}",
            "names an anchor that doesn't exist",
        ),
        (
            r"^\{\{#timeline (.*\w)\}\}$",
            "{{#timeline ${1}s}}",
            "draws a listing that doesn't exist",
        ),
        (
            r"^\{\{#(list)ing (\S+)\}\}$",
            "{{#${1}ng ${2}}}",
            "misspells a directive",
        ),
        (
            r"^\{\{#output (\S+)\}\}$",
            "{#output ${1}}",
            "lacks a brace",
        ),
        (
            r"^\{\{#(output|listing) (\S+)\}\}$",
            "See {{#${1} ${2}}}",
            "has a block in a line of text",
        ),
        (
            r"^\{\{#(\w+) (\S+)\}\}$",
            "{{#include ${2}}}",
            "includes a file as stock mdBook does",
        ),
    ] {
        let lines = snapshot.page_lines();
        breakages.extend(substituted(
            rng,
            lines,
            expression,
            replacement,
            what,
            check(),
        ));
    }
    breakages.extend(anchor_without_code(snapshot, rng, "is empty", ""));
    let comment = "// Only a comment.\n\n";
    breakages.extend(anchor_without_code(
        snapshot,
        rng,
        "has only a comment",
        comment,
    ));
    breakages
}

/// Directives are expanded when the site is built, so the other tests of pages fail as well.
fn check() -> Check {
    pages_test("no_version_number_or_code_is_written_by_hand")
}

/// An anchor that a page shows has this text in place of its code.
fn anchor_without_code(
    snapshot: &BookSnapshot,
    rng: &mut Rng,
    what: &str,
    content: &str,
) -> Option<Breakage> {
    let anchors = snapshot.uses_of("listing").filter_map(|used| {
        let (name, anchor) = used.argument.split_once(':')?;
        Some((used, name, anchor))
    });
    let (used, name, anchor) = pick(rng, anchors)?;
    let mut listings = snapshot.listings.iter();
    let source = &listings.find(|it| it.name.to_string() == name)?.source;
    let (mut inside, mut text) = (false, String::new());
    for line in source.text.lines() {
        inside &= !line.trim().ends_with(&format!("// ANCHOR_END: {anchor}"));
        if !inside {
            text.push_str(&format!("{line}\n"));
        }
        if line.trim().ends_with(&format!("// ANCHOR: {anchor}")) {
            text.push_str(content);
            inside = true;
        }
    }
    let what = format!("shows an anchor of {} that {what}", source.file);
    let line = snapshot.line_of(used)?;
    Some(line.breakage(&what, Edit::write(&source.file, text), check()))
}
