//! Where the sources of what the book depends on are on this machine, as cargo downloaded them.

use crate::project::Project;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of each package's source, by the package's name.
///
/// # Errors
///
/// Cargo cannot be started, or says nothing of the packages.
pub fn folders(project: &Project) -> Result<BTreeMap<String, PathBuf>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(project.root())
        .args(["metadata", "--format-version=1", "--offline"])
        .output()
        .context("cannot start cargo")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).with_context(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        format!("cargo metadata printed no JSON: {}", errors.trim())
    })?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let folders = packages.filter_map(|package| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        let name = package["name"].as_str()?;
        Some((name.to_owned(), manifest.parent()?.to_owned()))
    });
    Ok(folders.collect())
}
