//! Promise: a listing's tasks move as its timeline shows.
//!
//! Every listing is run once more, with a recorder that watches Tokio, and what it records compared with
//! the listing's `.timeline.json`. A listing that can be recorded has that file, and one that cannot has
//! none. `cargo book bless` rewrites the files.

use libtest_mimic::{Arguments, Failed, Trial};
use model::Project;
use runs::timelines::check;
use runs::timelines::workspace::{Copies, build};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let project = Arc::new(Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here"));
    let listings = project.listings().expect("listings can be listed");
    assert!(
        !listings.is_empty(),
        "there are no listings below listings/*/src/bin"
    );
    // Nothing is built where tests are only listed.
    let copies = if arguments.list {
        Copies::default()
    } else {
        build(&project, &listings).expect("cargo builds")
    };
    let copies = Arc::new(copies);
    let trials = listings
        .into_iter()
        .map(|name| {
            let (project, copies) = (Arc::clone(&project), Arc::clone(&copies));
            Trial::test(name.to_string(), move || {
                let printed = project
                    .read(&name.output())
                    .map_err(|problem| format!("{problem}; `cargo book bless {name}` writes it"))?;
                let recorded = copies
                    .record(&project, &name, &printed)
                    .map_err(|error| Failed::from(format!("{}: {error:#}", name.source())))?;
                Ok(check(&project, &name, &recorded)?)
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
