//! The workspace in which the copies of the listings are built, with Tokio's reports switched on.
//!
//! It lies in the book's target folder, has the book's Cargo.lock, a package for each part with the
//! dependencies that the part's page shows, and build products of its own: the reports need
//! `--cfg tokio_unstable`, and the book itself must not be built with that, or a listing that uses an
//! unstable API by accident would pass.

use super::copy::{self, PROGRAM, Places};
use crate::build::{Built, executables};
use crate::{cargo, target};
use anyhow::{Context, Result};
use pages::{ListingName, Project};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Copies of listings, built.
#[derive(Debug, Default)]
pub struct Copies {
    /// Their executables, and what the compiler said.
    pub built: Built,
    /// What is where in each listing.
    pub places: BTreeMap<ListingName, Places>,
}

/// Builds the copies of these listings. Cargo decides what is to be compiled again: it knows.
///
/// # Errors
///
/// The workspace cannot be written, a listing is not Rust, or cargo cannot be started.
pub fn build(project: &Project, names: &[ListingName]) -> Result<Copies> {
    let mut copies = Copies::default();
    if names.is_empty() {
        return Ok(copies);
    }
    let root = target(project).join("timelines");
    fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
    // Two processes may want it at once: `cargo test` and `cargo book bless`, say.
    let lock = File::create(root.join(".lock")).context("cannot make a lock file")?;
    lock.lock()
        .context("cannot lock the timelines' workspace")?;

    let listings = project.listings()?;
    let mut keep = BTreeSet::new();
    for part in project.parts()? {
        let of_part: Vec<_> = listings.iter().filter(|name| name.part == part).collect();
        if of_part.is_empty() {
            continue;
        }
        keep.insert(root.join(&part));
        write(
            &root.join(&part).join("Cargo.toml"),
            &manifest(project, &part)?,
        )?;
        for name in of_part {
            let folder = root.join(&part).join("src/bin").join(&name.name);
            let text = read(project, &name.source())?;
            let asked = names.contains(name);
            match copy::marked(&text) {
                Ok(marked) => {
                    if asked {
                        copies.places.insert(name.clone(), copy::places(&marked)?);
                    }
                    write(&folder.join("listing.rs"), &marked)?;
                    write(&folder.join("main.rs"), PROGRAM)?;
                    keep.insert(folder);
                }
                Err(error) if asked => return Err(error.context(name.source())),
                // Another listing's mistake; what is there already is left out.
                Err(_) => {}
            }
        }
    }
    let parts: Vec<_> = keep
        .iter()
        .filter(|path| path.parent() == Some(&*root))
        .collect();
    for part in &parts {
        remove_others(&part.join("src/bin"), &keep)?;
    }
    let members: Vec<_> = parts
        .iter()
        .filter_map(|part| Some(format!("{:?}", part.file_name()?.to_str()?)))
        .collect();
    write(
        &root.join("Cargo.toml"),
        &format!(
            "[workspace]\nmembers = [{}]\nresolver = \"3\"\n\n[profile.dev]\ndebug = false\n",
            members.join(", ")
        ),
    )?;
    // The versions are the book's, and nothing is asked of a network.
    let versions = read(project, "Cargo.lock")?;
    if fs::read_to_string(root.join("book.lock")).ok().as_deref() != Some(&*versions) {
        write(&root.join("Cargo.lock"), &versions)?;
        write(&root.join("book.lock"), &versions)?;
    }

    let mut command = Command::new(cargo());
    command
        .current_dir(&root)
        .args(["build", "--quiet", "--offline", "--keep-going"])
        .arg("--message-format=json-render-diagnostics")
        .env("CARGO_TARGET_DIR", root.join("target"))
        .stdin(Stdio::null());
    let (variable, flags) = flags();
    command.env(variable, flags);
    if names.len() < listings.len() {
        for name in names {
            command.args(["--bin", &name.name]);
        }
    } else {
        command.arg("--bins");
    }
    let output = command
        .output()
        .context("cannot start cargo to build the copies of the listings")?;
    copies.built = executables(&output, |source| {
        // <part>/src/bin/<name>/main.rs
        let mut folders = source.ancestors().skip(1);
        let name = folders.next()?.file_name()?.to_str()?.to_owned();
        let part = folders.nth(2)?.file_name()?.to_str()?.to_owned();
        Some(ListingName { part, name }).filter(|name| names.contains(name))
    })?;
    Ok(copies)
}

/// The compiler's flags, with Tokio's reports, in the variable that cargo takes them from here.
fn flags() -> (&'static str, OsString) {
    let with = |flags: Option<OsString>, separator: &str| {
        let mut flags = flags.unwrap_or_default();
        if !flags.is_empty() {
            flags.push(separator);
        }
        flags.push(["--cfg", "tokio_unstable"].join(separator));
        flags
    };
    match std::env::var_os("CARGO_ENCODED_RUSTFLAGS") {
        Some(flags) => ("CARGO_ENCODED_RUSTFLAGS", with(Some(flags), "\u{1f}")),
        None => ("RUSTFLAGS", with(std::env::var_os("RUSTFLAGS"), " ")),
    }
}

fn manifest(project: &Project, part: &str) -> Result<String> {
    let dependencies = pages::manifest::dependencies(project, part)
        .map_err(|problem| anyhow::anyhow!("{problem}"))?;
    // Beside this crate, wherever the listings are.
    let recorder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recorder");
    Ok(format!(
        "[package]\nname = \"{part}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{dependencies}\n\
         recorder = {{ path = {:?} }}\n",
        recorder.to_string_lossy()
    ))
}

fn read(project: &Project, file: &str) -> Result<String> {
    project
        .read(file)
        .map_err(|problem| anyhow::anyhow!("{problem}"))
}

/// Writes a file only where it says something else, so that cargo does not compile it again.
fn write(file: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let failed = || format!("cannot write {}", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    fs::write(file, text).with_context(failed)
}

/// Removes the copies of listings that are gone.
fn remove_others(folder: &Path, keep: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if !keep.contains(&path) {
            fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}
