//! Files that no page shows, and files that a page shows but that are missing.

use super::pages_test;
use crate::breakage::{Breakage, Edit};
use crate::snapshot::BookSnapshot;
use crate::text::pick;
use fastrand::Rng;
use model::ProgramId;

/// Files that no page shows.
pub fn orphans(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Option<Breakage>> {
    let is_used = "every_picture_is_shown_and_every_file_of_the_theme_used";
    let listing = "//! An orphan.\n\nfn main() {}\n";
    let picture = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n";
    let files = [
        (
            "src/tasks/orphan.md",
            "# Orphan\n",
            "every_page_is_in_the_table_of_contents",
        ),
        ("listings/tasks/src/bin/orphan.rs", listing, ON_A_PAGE),
        ("src/tasks/orphan.svg", picture, is_used),
        ("docs/orphan.svg", picture, is_used),
    ];
    let orphans = files.map(|(file, text, test)| {
        let what = format!("no page shows {file}");
        Some(Breakage::new(
            what,
            Edit::write(file, text),
            pages_test(test),
            file,
        ))
    });
    orphans
        .into_iter()
        .chain([removed_output(snapshot, rng)])
        .collect()
}

const ON_A_PAGE: &str = "every_listing_output_and_anchor_is_shown_on_a_page";

/// The only directive that shows an output is removed.
fn removed_output(snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    let count = |argument: &str| {
        let uses = snapshot.uses_of("output");
        uses.filter(|used| used.argument == argument).count()
    };
    let only = snapshot
        .uses_of("output")
        .filter(|used| count(&used.argument) == 1);
    let used = pick(rng, only)?;
    let name = ProgramId::parse(&used.argument).ok()?;
    let line = snapshot.line_of(used)?;
    let removed = line.broken("doesn't show the output", "", pages_test(ON_A_PAGE));
    Some(removed.reported_at(name.output()))
}

/// A timeline that a page draws is removed.
pub fn removed_timeline(snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    let used = pick(rng, snapshot.uses_of("timeline"))?;
    let name = ProgramId::parse(used.listings().last()?).ok()?;
    let check = pages_test("no_version_number_or_code_is_written_by_hand");
    let removed = Edit::remove(name.timeline());
    let line = snapshot.line_of(used)?;
    Some(line.breakage("draws a timeline that is removed", removed, check))
}
