//! Promise: each listing passes its own tests, on the paused clock and on several threads.
//!
//! The tests of a part's listings are built into one executable, and those of each listing run in a process of their own:
//! `cargo test --test listings tasks/join_set`. So do a part's tests that belong to no listing (`listings/<part>/tests/`).

use anyhow::Result;
use model::output::{DATABASE_URL, PGBOUNCER_URL};
use model::{ProgramId, Project};
use process_control::{ChildExt, Control, ExitStatus};
use runs::build::{Built, build_suites, build_tests, errors_of, plain};
use runs::workspace::{files_in, test_suites};
use std::collections::BTreeMap;
use std::env;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use suite::{Suite, book, text, texts};

mod suite;

/// How long the tests of a listing may take. Most of them wait in virtual time, and take milliseconds.
const LIMIT: Duration = Duration::from_secs(120);

/// Test executables.
struct Tests {
    built: Built,
    /// The words before the names of each listing's tests.
    prefixes: BTreeMap<ProgramId, String>,
    /// Tests that belong to no listing.
    suites: BTreeMap<ProgramId, PathBuf>,
}

fn main() -> ExitCode {
    let project = book();
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
    let mut texts = texts(project, [model::manifest::file(&name.part)])?;
    let mut folders = vec!["tools/hazards/src".to_owned()];
    match suite_folder(name) {
        Some(folder) => folders.extend([folder, format!("listings/{}", name.part)]),
        None => texts.push(text(project, &name.source())?),
    }
    for folder in folders {
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
    let prefix = tests.prefixes.get(name).filter(|prefix| !prefix.is_empty());
    let folder = project.root().join("listings").join(&name.part);
    let (status, said) = run(executable, prefix, &folder)
        .map_err(|error| format!("cannot run {}: {error}", executable.display()))?;
    let source = match suite_folder(name) {
        Some(folder) => format!("{folder}/main.rs"),
        None => name.source(),
    };
    match status {
        Some(status) if status.success() => {}
        Some(status) => return Err(format!("{source}: its tests fail ({status}):\n{said}")),
        None => {
            return Err(format!(
                "{source}: the last of these tests still runs after {LIMIT:?}:\n{said}"
            ));
        }
    }
    if said.contains("test result: ok. 0 passed") {
        return Err(format!("{source}: none of its tests ran:\n{said}"));
    }
    let program = text(project, &name.source()).map_err(|error| format!("{error:#}"))?;
    for variable in [DATABASE_URL, PGBOUNCER_URL] {
        if program.contains(variable) && env::var_os(variable).is_none() {
            eprintln!(
                "{name}: some of its tests need {variable}, which isn't set, and pass without it"
            );
        }
    }
    Ok(())
}

/// Runs tests one after the other, so that what they print ends with the test that hangs. Without a status, it was
/// killed.
fn run(
    executable: &Path,
    prefix: Option<&String>,
    folder: &Path,
) -> io::Result<(Option<ExitStatus>, String)> {
    let mut printed = tempfile::tempfile()?;
    let status = Command::new(executable)
        .args(prefix)
        .arg("--test-threads=1")
        .current_dir(folder)
        .env("RUST_BACKTRACE", "0")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(printed.try_clone()?)
        .stderr(printed.try_clone()?)
        .spawn()?
        .controlled()
        .time_limit(LIMIT)
        .terminate_for_timeout()
        .wait()?;
    printed.rewind()?;
    let mut said = Vec::new();
    printed.read_to_end(&mut said)?;
    Ok((status, String::from_utf8_lossy(&said).into_owned()))
}
