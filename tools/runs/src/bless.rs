//! Accepts what listings print now as what the book says.

use crate::build::build;
use crate::compare::diff;
use crate::compile_fail;
use crate::run::{Limits, run};
use crate::timelines::workspace;
use anyhow::{Context, Result, bail};
use pages::{ListingName, Project};
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
/// returns what changed.
///
/// # Errors
///
/// A listing does not compile or does not behave, or a file to be written lies outside `listings/`.
/// What was written before stays written, and is told by `report`.
pub fn bless(
    project: &Project,
    names: &[ListingName],
    mut report: impl FnMut(Change),
) -> Result<()> {
    let is_program = |name: &&ListingName| project.has(&name.compile_fail());
    let listings: Vec<_> = names
        .iter()
        .filter(|name| !is_program(name))
        .cloned()
        .collect();
    let programs: Vec<_> = names.iter().filter(is_program).cloned().collect();
    let built = build(project, &listings)?;
    let copies = workspace::build(project, &listings)?;
    if !built.errors.is_empty() {
        bail!("a listing does not compile:\n\n{}", built.errors);
    }
    if !copies.built.errors.is_empty() {
        bail!(
            "a listing compiles, but its copy that is to be recorded does not:\n\n{}",
            copies.built.errors
        );
    }
    for name in &listings {
        let executable = built
            .executables
            .get(name)
            .with_context(|| format!("{}: cargo built no program of that name", name.source()))?;
        match run(executable, project.root(), Limits::default())? {
            Ok(ran) => {
                let output = write(project, &name.output(), &ran.transcript)?;
                report_change(output, &mut report);
                let recorded = copies
                    .record(project, name, &ran.transcript)
                    .with_context(|| name.source())?;
                let timeline = match recorded {
                    Ok(timeline) => write(project, &name.timeline(), &timeline.to_json()?)?,
                    Err(why) => remove(project, &name.timeline(), &why)?,
                };
                report_change(timeline, &mut report);
            }
            Err(misbehaved) => bail!("{}: the listing {misbehaved}", name.source()),
        }
    }
    if programs.is_empty() {
        return Ok(());
    }
    for (name, message) in compile_fail::messages(project, &programs)? {
        let message = message.map_err(|error| anyhow::anyhow!(error))?;
        report_change(write(project, &name.stderr(), &message)?, &mut report);
    }
    let written_by = write(
        project,
        compile_fail::WRITTEN_BY,
        &compile_fail::compiler(project)?,
    )?;
    report_change(written_by, &mut report);
    Ok(())
}

fn report_change(change: Option<Change>, report: &mut impl FnMut(Change)) {
    if let Some(change) = change {
        report(change);
    }
}

/// Removes the timeline of a listing that has none any more.
fn remove(project: &Project, file: &str, why: &Refused) -> Result<Option<Change>> {
    let path = project.to_write(file)?;
    match fs::remove_file(&path) {
        Ok(()) => Ok(Some(Change {
            file: file.to_owned(),
            diff: format!("removed, for this listing has no timeline: {why}\n"),
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
