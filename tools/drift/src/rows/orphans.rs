//! Orphans: files and anchors that no page shows.

use super::pages_test;
use crate::breakage::{Breakage, Edit};
use crate::snapshot::BookSnapshot;
use crate::text::pick;
use fastrand::Rng;
use pages::listing::ListingName;

/// Promise 10.
pub fn orphans(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let in_contents = || pages_test("every_page_is_in_the_table_of_contents");
    let on_a_page = || pages_test("every_listing_output_and_anchor_is_shown_on_a_page");
    let is_used = || pages_test("every_picture_is_shown_and_every_file_of_the_theme_used");
    let mut breakages = Vec::new();
    let Some(listing) = pick(rng, &snapshot.listings) else {
        return breakages;
    };
    let part = &listing.name.part;
    let picture = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n";
    for (file, text, check) in [
        (format!("src/{part}/orphan.md"), "# Orphan\n", in_contents()),
        (
            format!("listings/{part}/src/bin/orphan.rs"),
            listing.source.text.as_str(),
            on_a_page(),
        ),
        (format!("src/{part}/orphan.svg"), picture, is_used()),
        ("docs/orphan.svg".to_owned(), picture, is_used()),
    ] {
        let edit = Edit::write(&file, text);
        breakages.push(Breakage::new(
            format!("no page shows {file}"),
            edit,
            check,
            file,
        ));
    }
    let is_only = |argument: &str| {
        let mut uses = snapshot.uses_of("output");
        uses.by_ref()
            .filter(|used| used.argument == argument)
            .count()
            == 1
    };
    let only = snapshot
        .uses_of("output")
        .filter(|used| is_only(&used.argument));
    if let Some(used) = pick(rng, only)
        && let Some(line) = snapshot.line_of(used)
        && let Ok(name) = ListingName::parse(&used.argument)
    {
        let removed = line.breakage("doesn't show the output", line.replaced(None), on_a_page());
        breakages.push(removed.reported_at(name.output()));
    }
    let last = listing.source.lines().last();
    breakages.extend(last.map(|last| {
        let anchor = "// ANCHOR: orphan\nconst _: () = ();\n// ANCHOR_END: orphan";
        let breakage = last.breakage(
            "is followed by an orphan",
            last.followed_by(anchor),
            on_a_page(),
        );
        breakage.reported_at(last.place_below(1))
    }));
    breakages
}
