//! Where the sources of what the book depends on are on this machine, as cargo downloaded them.

use crate::lock;
use crate::project::Project;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;

/// The folder of the source of each package that has been downloaded, by the package's name.
///
/// `cargo metadata` would know them too, but only if everything in Cargo.lock has been downloaded; on a new machine, cargo
/// downloads what it builds.
///
/// # Errors
///
/// Cargo's folder cannot be found or read, or the book has no Cargo.lock.
pub fn folders(project: &Project) -> Result<BTreeMap<String, PathBuf>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let sources = home.context("there is no CARGO_HOME")?.join("registry/src");
    let registries =
        fs::read_dir(&sources).with_context(|| format!("cannot read {}", sources.display()))?;
    let registries: Vec<_> = registries.collect::<Result<_, _>>()?;
    let mut folders = BTreeMap::new();
    for (name, version) in lock::packages(project)? {
        let folder = format!("{name}-{version}");
        let mut found = registries.iter().map(|it| it.path().join(&folder));
        if let Some(folder) = found.find(|folder| folder.is_dir()) {
            folders.insert(name, folder);
        }
    }
    Ok(folders)
}
