//! Patterns whose guard is taken out, and hazards that no test meets anymore.

use crate::breakage::{Breakage, Check, Edit};
use crate::snapshot::{BookSnapshot, Program, WEAKENINGS};
use crate::text::pick;
use fastrand::Rng;
use model::ProgramId;
use model::hazards::{Declarations, Hazard, tests};

/// Every guard that `listings/weakenings.toml` can take out, in random order: the hazard's test must fail.
pub fn weakened(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Option<Breakage>> {
    let weakened = snapshot.weakenings.iter().map(|weakening| {
        let change = &weakening.change;
        let id = ProgramId::parse(&change.program).ok()?;
        let listing = snapshot.listings.iter().find(|it| it.name == id)?;
        let source = &listing.source;
        let text = change.applied(WEAKENINGS, &source.text).ok()?;
        let hazard = weakening.hazard.name();
        let what = format!("{} is weakened against the hazard {hazard}", source.file);
        let edit = Edit::write(&source.file, text);
        let check = Check::one("listings", id.to_string());
        let breakage = Breakage::new(what, edit, check, &source.file);
        Some(breakage.with_words(format!("tests::{hazard}_")))
    });
    let mut weakened: Vec<_> = weakened.collect();
    rng.shuffle(&mut weakened);
    weakened
}

/// The only test of a hazard has another name.
pub fn unmet(snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    let mut met = Vec::new();
    let is_pattern = |listing: &&Program| {
        let says = Declarations::read(&snapshot.project, &listing.name.part).unwrap_or_default();
        let name = &listing.name.name;
        !listing.is_mistake && !says.open.contains(name) && !says.demonstrations.contains(name)
    };
    for listing in snapshot.listings.iter().filter(is_pattern) {
        let tests = tests(&listing.source.text);
        for hazard in Hazard::ALL {
            let mut names = tests.iter().filter(|test| test.hazard == Some(hazard));
            if let (Some(test), None) = (names.next(), names.next()) {
                met.push((listing, hazard, test.name.to_owned()));
            }
        }
    }
    let (listing, hazard, test) = pick(rng, met)?;
    let source = &listing.source;
    let text = source
        .text
        .replace(&format!("fn {test}("), &format!("fn no_{test}("));
    let what = format!("{} calls its test `{test}` otherwise", source.file);
    let check = Check::one("pages", "every_pattern_has_met_its_hazards");
    let breakage = Breakage::new(what, Edit::write(&source.file, text), check, &source.file);
    Some(breakage.with_words(hazard.name()))
}
