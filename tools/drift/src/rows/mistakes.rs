//! Mistakes: the programs that don't compile, and those that a page calls wrong.

use super::{outputs_test, pages_test, programs};
use crate::breakage::{Breakage, Check, Edit};
use crate::snapshot::BookSnapshot;
use crate::text::{Line, pick};
use fastrand::Rng;
use pages::listing::ListingName;

/// Promise 5.
pub fn fixed_errors(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let check = |name: &ListingName| Check::one("compile_fail", name.to_string());
    let mut breakages = Vec::new();
    if let Some(name) = pick(rng, &snapshot.compile_fail) {
        let source = snapshot.file(name.compile_fail());
        if let Ok(fixed) = snapshot.fixed(name, &source.text) {
            let fixed = Edit::write(&source.file, fixed);
            let (what, place) = (
                format!("{} is fixed", source.file),
                format!("{}:1", source.file),
            );
            breakages.push(Breakage::new(what, fixed, check(name), place).with_words("compiles"));
        }
    }
    if let Some(name) = pick(rng, &snapshot.compile_fail) {
        let message = snapshot.file(name.stderr());
        let is_word =
            |line: &Line<'_>| line.text.starts_with("error") || line.text.contains("= note");
        if let Some(line) = pick(rng, message.lines().filter(is_word)) {
            let edited = format!("{} indeed", line.text);
            let breakage = line.broken("is edited", &edited, check(name));
            breakages.push(breakage.reported_at(&message.file));
        }
    }
    if let Some(name) = pick(rng, &snapshot.compile_fail) {
        let source = snapshot.file(name.compile_fail());
        if let Some(caption) = source.line(1) {
            let edit = caption.followed_by("//!");
            let breakage = caption.breakage("is followed by one more line", edit, check(name));
            breakages.push(breakage.reported_at(name.stderr()));
        }
    }
    breakages
}

/// Promise 6: a test is switched off; then, in random order, each mistake is fixed, and both its output and its own
/// tests must show it.
pub fn fixed_mistakes(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let mut fixes = Vec::new();
    for listing in snapshot.listings.iter().filter(|it| it.is_mistake) {
        let (name, file) = (&listing.name, &listing.source.file);
        let Ok(text) = snapshot.fixed(name, &listing.source.text) else {
            continue;
        };
        let what = format!("{file} is fixed");
        let edit = Edit::write(file, text);
        let tests = Check::one("listings", name.to_string());
        fixes.push(vec![
            Breakage::new(&what, edit.clone(), outputs_test(name), name.output()),
            // A test that fails, and not a compile error, names the test.
            Breakage::new(format!("{what}, and its tests run"), edit, tests, file)
                .with_words("tests::"),
        ]);
    }
    for name in &snapshot.unstable {
        let source = snapshot.file(name.unstable());
        if let Ok(text) = snapshot.fixed(name, &source.text) {
            let edit = Edit::write(source.file, text);
            fixes.push(vec![programs::unstable("is fixed", name, edit)]);
        }
    }
    rng.shuffle(&mut fixes);
    let tests = snapshot.listings.iter().flat_map(|listing| {
        let source = &listing.source;
        let attributes = source
            .lines()
            .filter(|line| line.text.trim_start().starts_with("#[tokio::test"));
        attributes.filter_map(|attribute| attribute.next())
    });
    let ignored = pick(rng, tests.filter(|line| line.text.contains("async fn "))).map(|line| {
        let check = pages_test("no_test_of_a_listing_is_switched_off");
        let ignored = format!("    #[ignore]\n{}", line.text);
        line.broken("is a test that is ignored", &ignored, check)
    });
    ignored
        .into_iter()
        .chain(fixes.into_iter().flatten())
        .collect()
}
