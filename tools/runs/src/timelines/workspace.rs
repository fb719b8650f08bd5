//! The workspace in which the copies of the listings are built, with Tokio's reports switched on.
//!
//! It lies in the book's target folder, has the book's Cargo.lock, a package for each part with the
//! dependencies that the part's page shows, and build products of its own: the reports need
//! `--cfg tokio_unstable`, and the book itself must not be built with that, or a listing that uses an
//! unstable API by accident would pass.

use super::copy::{self, PROGRAM, Places};
use crate::build::{Built, executables};
use crate::files::{lock_as_the_book, write_if_changed};
use crate::{cargo, target};
use anyhow::{Context, Result};
use model::{ListingName, Project};
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
    /// The listings that cannot have a runtime: their parts do not depend on Tokio.
    pub without_tokio: BTreeSet<ListingName>,
}

/// Builds the copies of these listings. Cargo decides what is to be compiled again: it knows.
///
/// # Errors
///
/// The workspace cannot be written, a listing is not Rust, or cargo cannot be started.
pub fn build(project: &Project, names: &[ListingName]) -> Result<Copies> {
    let mut copies = Copies::default();
    let mut parts = BTreeMap::new();
    for part in project.parts()? {
        let manifest = manifest(project, &part)?;
        let has_tokio = manifest.lines().any(|line| line.starts_with("tokio = "));
        if has_tokio {
            parts.insert(part, manifest);
        }
    }
    let (with, without): (Vec<_>, Vec<_>) = names
        .iter()
        .cloned()
        .partition(|name| parts.contains_key(&name.part));
    copies.without_tokio.extend(without);
    if with.is_empty() {
        return Ok(copies);
    }

    let root = target(project).join("timelines");
    fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
    // Two processes may want it at once: `cargo test` and `cargo book bless`, say.
    let lock = File::create(root.join("lock")).context("cannot make a lock file")?;
    lock.lock()
        .context("cannot lock the timelines' workspace")?;
    write_if_changed(&root.join("Cargo.toml"), WORKSPACE)?;
    // The versions are the book's, and nothing is asked of a network.
    lock_as_the_book(project, &root)?;
    let listings: Vec<_> = project
        .listings()?
        .into_iter()
        .filter(|name| parts.contains_key(&name.part))
        .collect();
    let mut keep = BTreeSet::new();
    for (part, manifest) in &parts {
        let folder = root.join("parts").join(part);
        write_if_changed(&folder.join("Cargo.toml"), manifest)?;
        keep.insert(folder);
    }
    for name in &listings {
        let folder = folder(&root, name);
        let text = project.read(&name.source())?;
        let asked = with.contains(name);
        match copy::marked(&text) {
            Ok(marked) => {
                if asked {
                    copies.places.insert(name.clone(), copy::places(&marked)?);
                }
                write_if_changed(&folder.join("listing.rs"), &marked)?;
                write_if_changed(&folder.join("main.rs"), PROGRAM)?;
                keep.insert(folder);
            }
            Err(error) if asked => return Err(error.context(name.source())),
            // Another listing's mistake is told where that one is asked for.
            Err(_) => {}
        }
    }
    remove_others(&root.join("parts"), &keep)?;
    for part in parts.keys() {
        remove_others(&root.join("parts").join(part).join("src/bin"), &keep)?;
    }
    copies.built = cargo_build(&root, &with, with.len() == listings.len())?;
    Ok(copies)
}

const WORKSPACE: &str = r#"# Copies of the listings, with a recorder in them. Written by `cargo book`.

[workspace]
members = ["parts/*"]
resolver = "3"

[profile.dev]
debug = false
"#;

/// The folder of a listing's copy.
fn folder(root: &Path, name: &ListingName) -> PathBuf {
    let part = root.join("parts").join(&name.part);
    part.join("src/bin").join(&name.name)
}

fn cargo_build(root: &Path, names: &[ListingName], all: bool) -> Result<Built> {
    let mut command = Command::new(cargo());
    let (variable, flags) = flags();
    command
        .current_dir(root)
        .args(["build", "--quiet", "--offline", "--keep-going"])
        .arg("--message-format=json-render-diagnostics")
        .env("CARGO_TARGET_DIR", root.join("target"))
        .env(variable, flags)
        .stdin(Stdio::null());
    if all {
        command.arg("--bins");
    } else {
        for name in names {
            command.args(["--bin", &name.name]);
        }
    }
    let output = command
        .output()
        .context("cannot start cargo to build the copies of the listings")?;
    // The end of the path alone: cargo may know its beginning by another name, through a link.
    executables(&output, |source| {
        let is_its =
            |name: &&ListingName| source.ends_with(folder(Path::new(""), name).join("main.rs"));
        names.iter().find(is_its).cloned()
    })
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
    let dependencies = model::manifest::dependencies(project, part)?;
    // Beside this crate, wherever the listings are.
    let recorder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../timeline/recorder");
    Ok(format!(
        "[package]\nname = \"recorded_{part}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{dependencies}\n\
         recorder = {{ path = {:?} }}\n",
        recorder.to_string_lossy()
    ))
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
