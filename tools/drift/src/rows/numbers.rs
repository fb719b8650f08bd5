//! Numbers: versions, measurements, and the verdicts of the cancel-safety table come from where they're checked.

use super::{inserted, pages_test};
use crate::breakage::{Breakage, Check};
use crate::snapshot::BookSnapshot;
use crate::text::{Text, pick, regex, substituted};
use fastrand::Rng;
use pages::cancel_safety::DATA;
use pages::measured;

/// Promise 13.
pub fn hand_written_numbers(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let version = snapshot.version("tokio").unwrap_or_default();
    let mut breakages = Vec::new();
    for block in [
        &format!("This needs Tokio {version}."),
        "Since `tokio` 1.36 there is more.",
        "It needs Rust 1.85.",
        "Put `futures = \"0.3\"` there.",
        "It takes 4711 ms.",
        "That is 17.3 times as fast.",
        "A task takes 4711 bytes.",
        "It is done in 4711 seconds.",
    ] {
        let check = pages_test("no_version_number_or_code_is_written_by_hand");
        breakages.extend(inserted(snapshot, rng, block, 0, check));
    }
    breakages.extend(substituted(
        rng,
        snapshot.file("README.md").lines(),
        r"1\.\d+ or newer",
        "1.70 or newer",
        "asks for an older Rust",
        pages_test("no_document_names_a_version_that_has_passed"),
    ));
    breakages.extend(another_version(snapshot, rng));
    breakages.extend(other_measurements(snapshot, rng));
    breakages.extend(other_verdicts(snapshot, rng));
    breakages
}

/// A page names another version than the one in which an API was added.
fn another_version(snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    let used = pick(rng, snapshot.uses_of("since"))?;
    let line = snapshot.line_of(used)?;
    let version = used.argument.split_whitespace().nth(1)?;
    let check = pages_test("everything_came_in_the_version_that_a_page_tells");
    Some(line.broken(
        "names another version",
        &line.text.replace(version, "0.0.1"),
        check,
    ))
}

/// The cancel-safety table contradicts its tests, or names a test that doesn't exist.
fn other_verdicts(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let data = snapshot.file(DATA);
    let part = Check::Part {
        file: "cancel_safety",
    };
    let table = pages_test("every_row_of_the_cancel_safety_table_has_its_run");
    let mut breakages = Vec::new();
    if let Some(line) = pick(
        rng,
        data.lines()
            .filter(|line| line.text.starts_with("verdict = ")),
    ) {
        let other = match line.text.contains("\"safe\"") {
            true => "verdict = \"not_safe\"",
            false => "verdict = \"safe\"",
        };
        breakages.push(line.broken("has another verdict", other, part));
    }
    breakages.extend(substituted(
        rng,
        data.lines(),
        "^shown_by = \"",
        "shown_by = \"not_",
        "names a test that doesn't exist",
        table,
    ));
    breakages
}

/// A benchmark or its record is edited, or something is claimed that wasn't measured.
fn other_measurements(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let check = || pages_test("what_was_measured_is_shown_and_is_what_is_claimed");
    let names = measured::names(&snapshot.project);
    let files = |file: fn(&str) -> String| -> Vec<Text> {
        names.iter().map(|name| snapshot.file(file(name))).collect()
    };
    let (sources, records, specs) = (
        files(measured::source_file),
        files(measured::record_file),
        files(measured::spec_file),
    );
    let mut breakages = Vec::new();
    if let Some((source, record)) = pick(rng, sources.iter().zip(&records))
        && let Some(line) = record
            .lines()
            .find(|line| line.text.starts_with("source = "))
    {
        let what = format!("{} is edited, but not measured again", source.file);
        let edit = source.with_end("// Quicker.\n");
        breakages.push(Breakage::new(what, edit, check(), line.place()));
    }
    let median = regex(r"^median = ");
    let medians = records.iter().flat_map(Text::lines);
    if let Some(line) = pick(rng, medians.filter(|line| median.is_match(line.text))) {
        let edited = median.replace(line.text, "median = 1");
        let breakage = line.broken("is a measurement that someone edited", &edited, check());
        breakages.push(breakage.reported_at(&line.of.file));
    }
    let claims = specs.iter().flat_map(Text::lines);
    let claims = claims
        .filter(|line| line.text == "[[claim]]")
        .filter_map(|claim| {
            let mut after = claim.of.lines().skip(claim.number);
            Some((claim, after.find(|line| line.text.starts_with("times = "))?))
        });
    if let Some((claim, times)) = pick(rng, claims) {
        let breakage = times.broken(
            "claims more than was measured",
            "times = 1000000.0",
            check(),
        );
        breakages.push(breakage.reported_at(claim.place()));
    }
    breakages
}
