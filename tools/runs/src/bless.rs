//! Accepts what listings print now as what the book says.

use crate::api_links;
use crate::build::{Program, build};
use crate::compare::diff;
use crate::compile_fail;
use crate::run::{Limits, run, run_on_postgresql};
use crate::timelines;
use crate::unstable;
use anyhow::{Context, Result, bail};
use model::{Problems, ProgramId, Project, api, census, provenance};
use std::fs;
use std::io::ErrorKind;
use timeline::Refused;

/// A file that blessing wrote.
#[derive(Debug)]
pub struct Change {
    /// The file, relative to the book's root.
    pub file: String,
    /// How it differs from before.
    pub diff: String,
}

/// Runs these listings (or programs that must not compile) and writes what came of it beside them;
/// reports what changed, and returns which listings have no timeline, and why.
///
/// # Errors
///
/// A listing does not compile or does not behave, or a file to be written lies outside `listings/`.
/// What was written before stays written, and is passed to `report`.
pub fn bless(
    project: &Project,
    names: &[ProgramId],
    mut report: impl FnMut(Change),
) -> Result<Vec<(ProgramId, Refused)>> {
    let (unstable, stable): (Vec<_>, Vec<_>) = names
        .iter()
        .cloned()
        .partition(|name| project.has(&name.unstable()));
    bless_unstable(project, &unstable, &mut report)?;
    let (programs, listings): (Vec<_>, Vec<_>) = stable
        .into_iter()
        .partition(|name| project.has(&name.compile_fail()));
    let built = build(project, &listings)?;
    let copies = timelines::build(project, &listings)?;
    if !built.errors.is_empty() {
        bail!("a listing does not compile:\n\n{}", built.errors);
    }
    if !copies.built.errors.is_empty() {
        bail!(
            "a listing compiles, but its copy for the recording does not:\n\n{}",
            copies.built.errors
        );
    }
    let mut without_timeline = Vec::new();
    for name in &listings {
        let program = built
            .programs
            .get(name)
            .with_context(|| format!("{}: cargo built no program of that name", name.source()))?;
        let ran = match run(program, project.root(), Limits::default())? {
            Ok(ran) => ran,
            Err(misbehaved) => bail!("{}: the listing {misbehaved}", name.source()),
        };
        report_change(
            write(project, &name.output(), &ran.transcript)?,
            &mut report,
        );
        report_change(write_errors(project, name, &ran.errors())?, &mut report);
        report_change(bless_on_postgresql(project, name, program)?, &mut report);
        let recorded = copies
            .record(project, name, &ran.transcript)
            .with_context(|| name.source())?;
        let timeline = match recorded {
            Ok(timeline) => write(project, &name.timeline(), &timeline.to_json()?)?,
            Err(why) => {
                let message = format!("removed because this listing has no timeline: {why}\n");
                without_timeline.push((name.clone(), why));
                remove(project, &name.timeline(), &message)?
            }
        };
        report_change(timeline, &mut report);
    }
    if programs.is_empty() {
        return Ok(without_timeline);
    }
    for (name, message) in compile_fail::messages(project, &programs)? {
        let message = message.map_err(|error| anyhow::anyhow!(error))?;
        report_change(write(project, &name.stderr(), &message)?, &mut report);
    }
    let compiler = compile_fail::compiler(project)?;
    report_change(
        write(project, provenance::COMPILER, &compiler)?,
        &mut report,
    );
    Ok(without_timeline)
}

/// Runs a listing that uses PostgreSQL, if `DATABASE_URL` names a server, and writes what it prints.
fn bless_on_postgresql(
    project: &Project,
    name: &ProgramId,
    program: &Program,
) -> Result<Option<Change>> {
    if !model::output::uses_postgresql(project, name)? {
        return remove(
            project,
            &name.postgresql_output(),
            "removed: the listing doesn't read DATABASE_URL\n",
        );
    }
    match run_on_postgresql(program, project.root(), Limits::default())? {
        Some(Ok(ran)) => write(project, &name.postgresql_output(), &ran.transcript),
        Some(Err(misbehaved)) => {
            bail!("{}: on PostgreSQL, the listing {misbehaved}", name.source())
        }
        None => Ok(None),
    }
}

/// Runs programs that need `--cfg tokio_unstable`, and writes what they print.
fn bless_unstable(
    project: &Project,
    names: &[ProgramId],
    report: &mut impl FnMut(Change),
) -> Result<()> {
    let built = unstable::build(project, names)?;
    for name in names {
        let program = built.programs.get(name).with_context(|| {
            format!("{} does not compile:\n\n{}", name.unstable(), built.errors)
        })?;
        match run(program, project.root(), Limits::default())? {
            Ok(ran) if ran.stderr.is_empty() => {
                let output = write(project, &name.unstable_output(), &ran.transcript)?;
                report_change(output, report);
            }
            Ok(ran) => bail!(
                "{}: it complains on standard error, and no file is kept of that:\n{}",
                name.unstable(),
                ran.stderr
            ),
            Err(misbehaved) => bail!("{}: the program {misbehaved}", name.unstable()),
        }
    }
    Ok(())
}

/// Looks up the APIs that the pages name, and writes where their documentation is: two files at most.
///
/// # Errors
///
/// A page names an API that does not exist; what was written before stays. Or rustdoc cannot be asked.
pub fn bless_api_links(project: &Project) -> Result<Vec<Change>> {
    if census::count(project, "apis")? == 0 && !project.has(api::MAP) {
        return Ok(Vec::new());
    }
    let found = api_links::look_up_in_documentation(project)?;
    Problems::none_in(found.problems)?;
    let redirects = api_links::redirects_text(&found.redirects);
    let changes = [
        write(project, api::MAP, &found.map.to_toml())?,
        write(project, api_links::REDIRECTS, &redirects)?,
    ];
    Ok(changes.into_iter().flatten().collect())
}

fn report_change(change: Option<Change>, report: &mut impl FnMut(Change)) {
    change.into_iter().for_each(report);
}

/// Writes what a listing says on standard error; where it says nothing, there is no file.
fn write_errors(project: &Project, name: &ProgramId, said: &str) -> Result<Option<Change>> {
    let file = name.errors();
    if said.is_empty() {
        remove(
            project,
            &file,
            "removed because there is no message anymore\n",
        )
    } else {
        write(project, &file, said)
    }
}

/// Removes a file that a listing has no more, if it is there.
fn remove(project: &Project, file: &str, why: &str) -> Result<Option<Change>> {
    let path = project.to_write(file)?;
    match fs::remove_file(&path) {
        Ok(()) => Ok(Some(Change {
            file: file.to_owned(),
            diff: why.to_owned(),
        })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot remove {file}")),
    }
}

/// Writes a file below `listings/`, unless it says the same already.
fn write(project: &Project, file: &str, text: &str) -> Result<Option<Change>> {
    let path = project.to_write(file)?;
    // What is no text is replaced like everything else.
    let before = match fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).replace("\r\n", "\n"),
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {file}")),
    };
    if before == text {
        return Ok(None);
    }
    fs::write(&path, text).with_context(|| format!("cannot write {file}"))?;
    Ok(Some(Change {
        file: file.to_owned(),
        diff: diff(&before, text),
    }))
}
