//! Builds listings with cargo.

use crate::cargo;
use anyhow::{Context, Result};
use model::{ListingName, Project};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What came of building listings.
#[derive(Debug, Default)]
pub struct Built {
    /// The executables of the listings that compile.
    pub executables: BTreeMap<ListingName, PathBuf>,
    /// What cargo and the compiler said where something does not compile; empty where all does.
    pub errors: String,
}

/// Builds these listings, or all of their parts' listings where `names` covers whole parts.
///
/// The features of dependencies are those that the listings' manifests ask for together; the tools'
/// own needs do not leak in. (Each part alone is checked by the manifest tests.)
///
/// # Errors
///
/// Cargo cannot be started, or speaks no JSON. A listing that does not compile is no error here: it
/// has no executable, and [`Built::errors`] says why.
pub fn build(project: &Project, names: &[ListingName]) -> Result<Built> {
    if names.is_empty() {
        return Ok(Built::default());
    }
    let mut command = Command::new(cargo());
    command
        .current_dir(project.root())
        .args([
            "build",
            "--quiet",
            "--keep-going",
            "--message-format=json-render-diagnostics",
        ])
        .stdin(Stdio::null());
    for part in project.parts()? {
        // All parts, so that a part's features, and with them all build products, stay the same
        // whichever listing is asked for.
        command.args(["--package", &part]);
    }
    let wanted: BTreeSet<&str> = names.iter().map(|name| name.name.as_str()).collect();
    if wanted.len() < project.listings()?.len() {
        for name in &wanted {
            command.args(["--bin", name]);
        }
    } else {
        command.arg("--bins");
    }
    let output = command
        .output()
        .context("cannot start cargo to build the listings")?;
    executables(&output, |source| {
        // listings/<part>/src/bin/<name>.rs
        let part = source.ancestors().nth(3)?.file_name()?.to_str()?.to_owned();
        let name = source.file_stem()?.to_str()?.to_owned();
        Some(ListingName { part, name }).filter(|name| names.contains(name))
    })
}

/// What cargo says that it built: the listings' executables, by the path of each one's source.
///
/// # Errors
///
/// Cargo speaks no JSON.
pub(crate) fn executables(
    output: &Output,
    listing: impl Fn(&Path) -> Option<ListingName>,
) -> Result<Built> {
    let mut executables = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line)
            .with_context(|| format!("cargo printed something that is not JSON: {line}"))?;
        if let Some((source, path)) = executable(&message)
            && let Some(name) = listing(&source)
        {
            executables.insert(name, path);
        }
    }
    let failed = !output.status.success();
    let errors = String::from_utf8_lossy(&output.stderr).replace("\r\n", "\n");
    Ok(Built {
        executables,
        errors: if failed { errors } else { String::new() },
    })
}

/// The path of a program's source and its executable, where the message tells of one.
fn executable(message: &Value) -> Option<(PathBuf, PathBuf)> {
    let path = message.get("executable")?.as_str()?;
    let source = message.get("target")?.get("src_path")?.as_str()?;
    Some((PathBuf::from(source), PathBuf::from(path)))
}
