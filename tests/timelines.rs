//! Promise: a listing's tasks move as its timeline shows.
//!
//! Every listing is run once more, with a recorder that watches Tokio, and what it records compared with
//! the listing's `.timeline.json`. A listing that can be recorded has that file, and one that cannot has
//! none. `cargo book bless` rewrites the files.

use runs::timelines::{build, check};
use runs::workspace::files_in;
use std::process::ExitCode;
use suite::{Suite, book, text, texts};

mod suite;

/// The recorder's sources.
const RECORDER: &str = "tools/timeline/recorder/src";

fn main() -> ExitCode {
    let project = book();
    let listings = project.listings().expect("listings can be listed");
    let suite = Suite {
        name: "timelines",
        depends_on: |project, name| {
            let mut texts = texts(project, [name.source(), name.output(), name.timeline()])?;
            // The recorder is linked into the listings' copies, not into this test.
            for file in files_in(&project.root().join(RECORDER))? {
                texts.push(text(project, &format!("{RECORDER}/{file}"))?);
            }
            Ok(texts)
        },
        build,
        check: |project, copies, name| {
            let printed = project
                .read(&name.output())
                .map_err(|problem| format!("{problem}; `cargo book bless {name}` writes it"))?;
            let recorded = copies
                .record(project, name, &printed)
                .map_err(|error| format!("{}: {error:#}", name.source()))?;
            check(project, name, &recorded)
        },
    };
    suite.run(project, listings)
}
