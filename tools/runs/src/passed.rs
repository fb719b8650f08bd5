//! Remembers which listings passed a check, so that an unchanged one isn't run again.
//!
//! A listing that printed the right bytes prints them again: programs of this book are deterministic, and a test that isn't is
//! a bug of the listing. So a check that passed is passed until something changes that it depends on. CI starts from nothing and
//! runs everything; `BOOK_RERUN=1` does the same anywhere.

use crate::cargo;
use anyhow::{Context, Result};
use model::output::{DATABASE_URL, PGBOUNCER_URL};
use model::{ProgramId, Project, manifest};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

/// The variable that makes every check run.
pub const RERUN: &str = "BOOK_RERUN";

/// What passed one kind of check.
#[derive(Debug)]
pub struct Passed {
    file: PathBuf,
    /// A hash of what every listing depends on: compiler, crates, and the code of the check.
    common: u64,
    /// By listing, a hash of all that the check depended on when it passed.
    hashes: Mutex<BTreeMap<String, u64>>,
}

impl Passed {
    /// What passed this check before, by the check's name.
    ///
    /// Fails if the compiler or this program's own file cannot be looked at.
    pub fn load(project: &Project, check: &str) -> Result<Self> {
        let file = crate::target(project).join("passed").join(check);
        let mut common = DefaultHasher::new();
        let compiler = Command::new(cargo())
            .args(["--version", "--verbose"])
            .current_dir(project.root())
            .output()
            .context("cannot start cargo")?;
        compiler.stdout.hash(&mut common);
        project.read("Cargo.lock")?.hash(&mut common);
        let this = fs::metadata(env::current_exe()?).context("cannot look at this program")?;
        (this.len(), this.modified().ok()).hash(&mut common);
        for variable in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            DATABASE_URL,
            PGBOUNCER_URL,
        ] {
            // A server's address differs from run to run; whether there is one matters.
            match variable {
                DATABASE_URL | PGBOUNCER_URL => env::var_os(variable).is_some().hash(&mut common),
                _ => env::var_os(variable).hash(&mut common),
            }
        }
        for part in project.parts()? {
            manifest::dependencies(project, &part)?.hash(&mut common);
        }
        // The sources of a patched package may change without any of this.
        let is_patched = project.read("Cargo.toml")?.contains("[patch.");
        let hashes = match env::var_os(RERUN).is_some() || is_patched {
            true => BTreeMap::new(),
            false => read(&file),
        };
        Ok(Self {
            file,
            common: common.finish(),
            hashes: Mutex::new(hashes),
        })
    }

    /// The hash of a listing and of whatever else its check depends on.
    pub fn key(&self, texts: &[&str]) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.common.hash(&mut hasher);
        texts.hash(&mut hasher);
        hasher.finish()
    }

    /// Whether a listing passed when everything was as it is now.
    pub fn has(&self, name: &ProgramId, key: u64) -> bool {
        let hashes = self.hashes.lock().expect("no holder panics");
        hashes.get(&name.to_string()) == Some(&key)
    }

    /// Notes that a listing passed.
    pub fn insert(&self, name: &ProgramId, key: u64) {
        let mut hashes = self.hashes.lock().expect("no holder panics");
        hashes.insert(name.to_string(), key);
    }

    /// Writes the notes down, for the next run.
    ///
    /// Fails if the file cannot be written.
    pub fn save(&self) -> Result<()> {
        let hashes = self.hashes.lock().expect("no holder panics");
        let lines: String = hashes
            .iter()
            .map(|(name, hash)| format!("{name} {hash:016x}\n"))
            .collect();
        crate::files::write_if_changed(&self.file, &lines)
    }
}

/// The notes of earlier runs; what can't be read is run again.
fn read(file: &PathBuf) -> BTreeMap<String, u64> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .filter_map(|(name, hash)| Some((name.to_owned(), u64::from_str_radix(hash, 16).ok()?)))
        .collect()
}
