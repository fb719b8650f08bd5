//! Mistakes that are fixed: programs that must not compile, and those that a page calls wrong.

use crate::breakage::{Breakage, Check, Edit};
use crate::snapshot::{BookSnapshot, Program};
use crate::text::pick;
use fastrand::Rng;
use model::output::{self, DATABASE_URL};
use std::env;

/// A program that must not compile is fixed.
pub fn fixed_error(snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    let program = pick(rng, &snapshot.compile_fail)?;
    let breakage = fixed(snapshot, program, "compile_fail")?;
    let place = format!("{}:1", program.source.file);
    Some(breakage.reported_at(place).with_words("compiles"))
}

/// Every mistake is fixed, in random order, and both its output and its tests must show it.
pub fn fixed_mistakes(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Option<Breakage>> {
    let mut fixes = Vec::new();
    for listing in snapshot.listings.iter().filter(|it| it.is_mistake) {
        // The first output that the page shows.
        let shown = output::shown(&snapshot.project, &listing.name).unwrap_or_default();
        let Some(shown) = shown.into_iter().next() else {
            continue;
        };
        if shown.database == Some("PostgreSQL") && env::var_os(DATABASE_URL).is_none() {
            continue;
        }
        let outputs = fixed(snapshot, listing, "outputs");
        // The fix may change what is printed on one database alone.
        let place = shown.file.trim_end_matches(".out");
        let outputs = outputs.map(|it| match shown.database {
            Some("SQLite") => it.reported_at(place).with_words("prints something other"),
            _ => it.reported_at(&shown.file),
        });
        // A test that fails is named; one that doesn't compile isn't.
        let tests = fixed(snapshot, listing, "listings").map(|it| it.with_words("tests::"));
        fixes.push(vec![outputs, tests]);
    }
    for program in &snapshot.unstable {
        if snapshot.fixes.contains_key(&program.name.to_string()) {
            let breakage = fixed(snapshot, program, "unstable");
            let place = program.name.unstable_output();
            fixes.push(vec![breakage.map(|it| it.reported_at(place))]);
        }
    }
    rng.shuffle(&mut fixes);
    fixes.into_iter().flatten().collect()
}

/// A program is fixed, which the test with its name in this file must notice.
fn fixed(snapshot: &BookSnapshot, program: &Program, test: &str) -> Option<Breakage> {
    let file = &program.source.file;
    let text = snapshot.fixed(&program.name, &program.source.text).ok()?;
    Some(Breakage::new(
        format!("{file} is fixed, and {test} run"),
        Edit::write(file, text),
        Check::one(test, program.name.to_string()),
        file,
    ))
}
