//! Anchors without code.

use super::pages_test;
use crate::breakage::{Breakage, Edit};
use crate::snapshot::BookSnapshot;
use crate::text::pick;
use fastrand::Rng;

/// Anchors that a page shows, and that lose their code.
pub fn without_code(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Option<Breakage>> {
    [
        ("is empty", ""),
        ("has only a comment", "// A comment.\n\n"),
    ]
    .map(|(what, content)| with_content(snapshot, rng, what, content))
    .into()
}

/// An anchor that a page shows gets this text in place of its code.
fn with_content(
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
    let (start, end) = (
        format!("// ANCHOR: {anchor}"),
        format!("// ANCHOR_END: {anchor}"),
    );
    let (mut inside, mut text) = (false, String::new());
    for line in source.text.lines() {
        inside &= line.trim() != end;
        if !inside {
            text.push_str(&format!("{line}\n"));
        }
        if line.trim() == start {
            text.push_str(content);
            inside = true;
        }
    }
    let what = format!("shows an anchor of {} that {what}", source.file);
    // Directives are expanded when the site is built, so the other tests of pages fail as well.
    let check = pages_test("no_version_number_or_code_is_written_by_hand");
    let line = snapshot.line_of(used)?;
    Some(line.breakage(&what, Edit::write(&source.file, text), check))
}
