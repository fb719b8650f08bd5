//! Compares what a listing printed with what its `.out` file says.

use crate::build::{Built, errors_of};
use crate::run::{Limits, Misbehaved, Ran, run, run_on_postgresql};
use model::output::{NEEDS_PGBOUNCER, PGBOUNCER_URL};
use model::{ProgramId, Project};
use similar::TextDiff;
use std::env;

/// What a program prints that can do its work on Unix alone.
const FOR_UNIX: &str = "this program is for Unix\n";

/// Runs a listing that has been built, also on PostgreSQL if it uses it and `DATABASE_URL` names a server; says what is wrong
/// with it, as [`check`] does.
///
/// # Errors
///
/// As [`check`]; or the listing wasn't built, or cannot be started.
pub fn run_and_check(project: &Project, built: &Built, name: &ProgramId) -> Result<(), String> {
    let program = built.programs.get(name);
    let program = program.ok_or_else(|| errors_of(built, name, &name.source()))?;
    let ran = run(program, project.root(), Limits::default());
    let ran = ran.map_err(|error| format!("{error:#}"))?;
    // A program about Unix says so on other systems, and there is nothing to compare.
    if !cfg!(unix) && ran.as_ref().is_ok_and(|ran| ran.transcript == FOR_UNIX) {
        return Ok(());
    }
    check(project, name, &ran)?;
    let file = name.postgresql_output();
    if !project.has(&file) {
        return Ok(());
    }
    let ran = run_on_postgresql(program, project.root(), Limits::default());
    match ran.map_err(|error| format!("{error:#}"))? {
        // `.ci/run` starts a PgBouncer, too.
        Some(Ok(ran))
            if ran.transcript == NEEDS_PGBOUNCER && env::var_os(PGBOUNCER_URL).is_none() =>
        {
            Ok(())
        }
        Some(ran) => {
            let ran = check_output(project, name, &name.source(), &file, &ran)?;
            check_errors(project, name, ran)
        }
        None => Ok(()),
    }
}

/// Says what is wrong with a run, or nothing where it is as the book says.
///
/// # Errors
///
/// A message that names the listing, the line of its `.out` file where the two part, and the pages
/// that show it; with the difference, and what to do.
pub fn check(
    project: &Project,
    name: &ProgramId,
    ran: &Result<Ran, Misbehaved>,
) -> Result<(), String> {
    let ran = check_output(project, name, &name.source(), &name.output(), ran)?;
    check_errors(project, name, ran)
}

/// Says what is wrong with what a program printed.
pub(crate) fn check_output<'r>(
    project: &Project,
    name: &ProgramId,
    source: &str,
    file: &str,
    ran: &'r Result<Ran, Misbehaved>,
) -> Result<&'r Ran, String> {
    let ran = ran.as_ref().map_err(|misbehaved| {
        format!("{source}: the listing {misbehaved}{}", shown(project, name))
    })?;
    let accept = format!("If the new output is right, `cargo book bless {name}` writes it.");
    if !project.has(file) {
        return Err(format!(
            "{file} is missing; {source} printed:\n\n{}\n{accept}{}",
            ran.transcript,
            shown(project, name)
        ));
    }
    let expected = project.read(file).map_err(|problem| problem.to_string())?;
    if expected == ran.transcript {
        return Ok(ran);
    }
    let line = 1 + expected
        .split_inclusive('\n')
        .zip(ran.transcript.split_inclusive('\n'))
        .take_while(|(a, b)| a == b)
        .count();
    let mut message = format!(
        "{file}:{line}: {source} prints something other than this file contains{}\n\n{}\n{accept}",
        shown(project, name),
        diff(&expected, &ran.transcript),
    );
    if !ran.stderr.trim().is_empty() {
        message.push_str(&format!("\nOn standard error it said:\n{}", ran.stderr));
    }
    Err(message)
}

/// Says what is wrong with what a run said on standard error.
fn check_errors(project: &Project, name: &ProgramId, ran: &Ran) -> Result<(), String> {
    let file = name.errors();
    let expected = match project.has(&file) {
        true => project.read(&file).map_err(|problem| problem.to_string())?,
        false => String::new(),
    };
    let said = ran.errors();
    if expected == said {
        return Ok(());
    }
    Err(format!(
        "{source}: it says something else on standard error than {file}{there}: a panic, maybe, in a task that \
         nobody awaits{shown}\n\n{diff}\nIf that is right, `cargo book bless {name}` accepts it.",
        source = name.source(),
        there = if project.has(&file) {
            " does"
        } else {
            ", which is not there, would"
        },
        shown = shown(project, name),
        diff = diff(&expected, &said),
    ))
}

/// The difference between two texts, line by line: `-` what the book says, `+` what was printed.
pub fn diff(expected: &str, printed: &str) -> String {
    TextDiff::from_lines(expected, printed)
        .unified_diff()
        .context_radius(3)
        .header("the book says", "it printed")
        .missing_newline_hint(true)
        .to_string()
}

/// The pages that show a listing, for the end of a sentence; empty where none does.
pub(crate) fn shown(project: &Project, name: &ProgramId) -> String {
    match model::uses::of_listing(project, name).as_slice() {
        [] => String::new(),
        places => format!(" (shown at {})", places.join(", ")),
    }
}
