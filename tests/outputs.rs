//! Promise: what a page says a program prints is what it prints.
//!
//! Every listing is built with the dependencies that its page shows, run, and its output (with its exit status, if that isn't
//! 0) compared with its `.out` file, and what it says on standard error with its `.err` file. `cargo book bless` rewrites the
//! files.

use model::Project;
use runs::build::{build, errors_of};
use runs::run::{Limits, run};
use std::process::ExitCode;
use suite::{Suite, text};

mod suite;

/// What a program prints that can do its work on Unix alone.
const FOR_UNIX: &str = "this program is for Unix\n";

fn main() -> ExitCode {
    let project = Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here");
    let listings = project.listings().expect("listings can be listed");
    let suite = Suite {
        name: "outputs",
        depends_on: |project, name| {
            Ok(vec![
                text(project, &name.source())?,
                text(project, &name.output())?,
                text(project, &name.errors())?,
            ])
        },
        build,
        check: |project, built, name| {
            let program = built
                .programs
                .get(name)
                .ok_or_else(|| errors_of(built, name, &name.source()))?;
            let ran = run(program, project.root(), Limits::default())
                .map_err(|error| format!("{error:#}"))?;
            // A program about Unix says so on other systems, and there is nothing to compare.
            if !cfg!(unix) && ran.as_ref().is_ok_and(|ran| ran.transcript == FOR_UNIX) {
                return Ok(());
            }
            runs::compare::check(project, name, &ran)
        },
    };
    suite.run(project, listings)
}
