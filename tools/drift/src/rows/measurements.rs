//! Benchmarks: what the book says about costs was measured.

use super::pages_test;
use crate::breakage::Breakage;
use crate::snapshot::BookSnapshot;
use crate::text::{Text, pick};
use fastrand::Rng;
use model::measured;

/// A benchmark is edited but not measured again, or more is claimed than was measured.
pub fn unmeasured(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Option<Breakage>> {
    let names = measured::names(&snapshot.project);
    vec![
        pick(rng, &names).and_then(|name| edited(snapshot, name)),
        claimed(snapshot, rng, &names),
    ]
}

fn edited(snapshot: &BookSnapshot, name: &str) -> Option<Breakage> {
    let source = snapshot.file(measured::source_file(name));
    let record = snapshot.file(measured::record_file(name));
    let mut lines = record.lines();
    let line = lines.find(|line| line.text.starts_with("source = "))?;
    let what = format!("{} is edited, but not measured again", source.file);
    let edit = source.with_end("// Quicker.\n");
    Some(Breakage::new(what, edit, check(), line.place()))
}

fn claimed(snapshot: &BookSnapshot, rng: &mut Rng, names: &[String]) -> Option<Breakage> {
    let specs = names
        .iter()
        .map(|name| snapshot.file(measured::spec_file(name)));
    let specs: Vec<Text> = specs.collect();
    let lines = specs.iter().flat_map(Text::lines);
    let claims = lines
        .filter(|line| line.text == "[[claim]]")
        .filter_map(|claim| {
            let mut after = claim.of.lines().skip(claim.number);
            Some((claim, after.find(|line| line.text.starts_with("times = "))?))
        });
    let (claim, times) = pick(rng, claims)?;
    let breakage = times.broken(
        "claims more than was measured",
        "times = 1000000.0",
        check(),
    );
    Some(breakage.reported_at(claim.place()))
}

fn check() -> crate::breakage::Check {
    pages_test("what_was_measured_is_shown_and_is_what_is_claimed")
}
