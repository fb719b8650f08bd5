//! Accepts what listings print now as what the book says.

use crate::build::build;
use crate::compare::diff;
use crate::compile_fail;
use crate::run::{Limits, run};
use anyhow::{Context, Result, bail, ensure};
use pages::{ListingName, Project};
use std::fs;
use std::path::Path;

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
    if !built.errors.is_empty() {
        bail!("a listing does not compile:\n\n{}", built.errors);
    }
    for name in &listings {
        let executable = built
            .executables
            .get(name)
            .with_context(|| format!("{}: cargo built no program of that name", name.source()))?;
        match run(executable, project.root(), Limits::default())? {
            Ok(ran) => report_change(
                write(project, &name.output(), &ran.transcript)?,
                &mut report,
            ),
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

/// Writes a file below `listings/`, unless it says the same already.
fn write(project: &Project, file: &str, text: &str) -> Result<Option<Change>> {
    let path = project.root().join(file);
    ensure_inside(project, file, &path)?;
    let before = if project.has(file) {
        project
            .read(file)
            .map_err(|problem| anyhow::anyhow!("{problem}"))?
    } else {
        String::new()
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

/// Refuses to write through a symbolic link, be it the file or a folder on the way.
fn ensure_inside(project: &Project, file: &str, path: &Path) -> Result<()> {
    let listings = project.root().join("listings");
    let folder = path
        .parent()
        .with_context(|| format!("{file} lies in no folder"))?;
    let real =
        fs::canonicalize(folder).with_context(|| format!("cannot open the folder of {file}"))?;
    let is_link = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
    ensure!(
        real.starts_with(&listings) && real == folder && !is_link,
        "{file} leads out of listings/ through a symbolic link; blessing writes only inside"
    );
    Ok(())
}
