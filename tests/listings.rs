//! Promise: each listing passes its own tests, on the paused clock and on several threads.
//!
//! The tests of a part's listings are built into one executable, and those of each listing run in a process of their own:
//! `cargo test --test listings tasks/join_set`. So do a part's tests that belong to no listing (`listings/<part>/tests/`).

use anyhow::Result;
use model::{ProgramId, Project};
use runs::build::{Built, build_suites, build_tests, errors_of, plain};
use runs::workspace::{files_in, test_suites};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use suite::{Suite, text};

mod suite;

/// Test executables.
struct Tests {
    built: Built,
    /// The words before the names of each listing's tests.
    prefixes: BTreeMap<ProgramId, String>,
    /// Tests that belong to no listing.
    suites: BTreeMap<ProgramId, PathBuf>,
}

fn main() -> ExitCode {
    let project = Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here");
    let mut names: Vec<_> = project
        .listings()
        .expect("listings can be listed")
        .into_iter()
        .filter(|name| has_tests(&project, name))
        .collect();
    for part in project.parts().expect("parts can be listed") {
        let suites = test_suites(&project, &part).expect("folders can be listed");
        names.extend(suites.into_iter().map(|name| ProgramId {
            part: part.clone(),
            name: format!("tests/{name}"),
        }));
    }
    let suite = Suite {
        name: "listings",
        depends_on,
        build,
        check,
    };
    suite.run(project, names)
}

fn has_tests(project: &Project, name: &ProgramId) -> bool {
    let text = text(project, &name.source()).expect("a listing can be read");
    text.contains("#[test]") || text.contains("#[tokio::test")
}

/// The folder of a suite of tests that belongs to no listing.
fn suite_folder(name: &ProgramId) -> Option<String> {
    let suite = name.name.strip_prefix("tests/")?;
    Some(format!("listings/{}/tests/{suite}", name.part))
}

fn depends_on(project: &Project, name: &ProgramId) -> Result<Vec<String>> {
    let manifest = text(project, &model::manifest::file(&name.part))?;
    let Some(folder) = suite_folder(name) else {
        return Ok(vec![text(project, &name.source())?, manifest]);
    };
    let mut texts = vec![manifest];
    for folder in [folder, format!("listings/{}", name.part)] {
        for file in files_in(&project.root().join(&folder))? {
            texts.push(text(project, &format!("{folder}/{file}"))?);
        }
    }
    Ok(texts)
}

fn build(project: &Project, names: &[ProgramId]) -> Result<Tests> {
    let workspace = plain(project)?;
    let (suites, listings): (Vec<_>, Vec<_>) = names
        .iter()
        .cloned()
        .partition(|name| suite_folder(name).is_some());
    let prefixes = listings
        .iter()
        .map(|name| (name.clone(), workspace.test_prefix(name)))
        .collect();
    Ok(Tests {
        built: build_tests(&workspace, &listings)?,
        prefixes,
        suites: build_suites(&workspace, &suites)?,
    })
}

fn check(project: &Project, tests: &Tests, name: &ProgramId) -> Result<(), String> {
    let executable = match tests.suites.get(name) {
        Some(suite) => suite,
        None if suite_folder(name).is_some() => return Err(format!("{name} does not compile")),
        None => {
            let program = tests.built.programs.get(name);
            let program = program.ok_or_else(|| errors_of(&tests.built, name, &name.source()))?;
            &program.executable
        }
    };
    let output = Command::new(executable)
        .args(tests.prefixes.get(name).filter(|prefix| !prefix.is_empty()))
        .current_dir(project.root().join("listings").join(&name.part))
        .env("RUST_BACKTRACE", "0")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start {}: {error}", executable.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let source = match suite_folder(name) {
        Some(folder) => format!("{folder}/main.rs"),
        None => name.source(),
    };
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{source}: its tests fail ({}):\n{said}{errors}",
            output.status
        ));
    }
    match said.contains("test result: ok. 0 passed") {
        true => Err(format!("{source}: none of its tests ran:\n{said}")),
        false => Ok(()),
    }
}
