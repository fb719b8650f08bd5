//! Promise: what a page says a program prints is what it prints.
//!
//! Every listing is built by cargo, run, and its output (and its exit status, where that is not 0)
//! compared with its `.out` file. `cargo book bless` rewrites the files.

use libtest_mimic::{Arguments, Failed, Trial};
use model::Project;
use runs::build::{Built, build};
use runs::run::{Limits, run};
use std::process::ExitCode;
use std::sync::Arc;

/// What a program prints that can do its work on Unix alone.
const FOR_UNIX: &str = "this program is for Unix\n";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let project = Arc::new(Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here"));
    let listings = project.listings().expect("listings can be listed");
    assert!(
        !listings.is_empty(),
        "there are no listings below listings/*/src/bin"
    );
    // Nothing is built where tests are only listed.
    let built = if arguments.list {
        Built::default()
    } else {
        build(&project, &listings).expect("cargo builds")
    };
    let built = Arc::new(built);
    let trials = listings
        .into_iter()
        .map(|name| {
            let (project, built) = (Arc::clone(&project), Arc::clone(&built));
            Trial::test(name.to_string(), move || {
                let Some(executable) = built.executables.get(&name) else {
                    return Err(Failed::from(format!(
                        "{} does not compile:\n{}",
                        name.source(),
                        built.errors
                    )));
                };
                let ran = run(executable, project.root(), Limits::default())
                    .map_err(|error| format!("{error:#}"))?;
                // A program about Unix says so on other systems, and there is nothing to compare.
                if !cfg!(unix) && ran.as_ref().is_ok_and(|ran| ran.transcript == FOR_UNIX) {
                    return Ok(());
                }
                Ok(runs::compare::check(&project, &name, &ran)?)
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
