//! What was built of others' crates for the book serves its copy as well: that saves minutes.

use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

/// Links what cargo has built of these crates, in the target folder of the book, into the one of the copy,
/// and returns how many files that were. The book's own crates are left out: cargo tells them apart by their
/// folder. Does nothing where something was built for the copy already; what is missing, cargo builds.
///
/// # Errors
///
/// A folder cannot be read or made, or a file cannot be linked.
pub fn seed(from: &Path, to: &Path, crates: &BTreeSet<String>) -> Result<usize> {
    let (from, to) = (from.join("debug"), to.join("debug"));
    if to.exists() || !from.exists() {
        return Ok(0);
    }
    let libraries: BTreeSet<_> = crates.iter().map(|name| name.replace('-', "_")).collect();
    let mut files = 0;
    for kind in [".fingerprint", "build"] {
        for name in names(&from.join(kind))? {
            if crates.contains(without_hash(&name)) {
                files += link_all(&from.join(kind).join(&name), &to.join(kind).join(&name))?;
            }
        }
    }
    for name in names(&from.join("deps"))? {
        let stem = name.split('.').next().unwrap_or_default();
        let library = without_hash(stem.strip_prefix("lib").unwrap_or(stem));
        if libraries.contains(library) || libraries.contains(without_hash(stem)) {
            files += link_all(&from.join("deps").join(&name), &to.join("deps").join(&name))?;
        }
    }
    Ok(files)
}

/// `serde` of `serde-0123456789abcdef`.
fn without_hash(name: &str) -> &str {
    name.rsplit_once('-').map_or(name, |(name, _)| name)
}

/// What is in a folder; nothing where there is none.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", folder.display()));
        }
    };
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// Links a file, or all files of a folder, and returns how many.
fn link_all(from: &Path, to: &Path) -> Result<usize> {
    if from.is_dir() {
        let mut files = 0;
        for name in names(from)? {
            files += link_all(&from.join(&name), &to.join(&name))?;
        }
        return Ok(files);
    }
    let folder = to.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // Not every file system has links.
    fs::hard_link(from, to)
        .or_else(|_| fs::copy(from, to).map(drop))
        .with_context(|| format!("cannot make {}", to.display()))?;
    Ok(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn only_what_others_wrote_is_linked_and_only_once() {
        let book = Scratch::sound();
        for file in [
            "deps/libserde_core-01.rlib",
            "deps/libserde_core-01.rmeta",
            "deps/libpages-02.rlib",
            "deps/outputs-03",
            ".fingerprint/serde-core-01/lib-serde_core",
            ".fingerprint/pages-02/lib-pages",
            "build/serde-core-04/output",
        ] {
            book.write(&format!("target/debug/{file}"), "built");
        }
        let crates = BTreeSet::from(["serde-core".to_owned()]);
        let (from, to) = (book.path("target"), book.path("target/drift/target"));
        assert_eq!(seed(&from, &to, &crates).expect("linked"), 4);
        assert!(to.join("debug/deps/libserde_core-01.rlib").is_file());
        assert!(!to.join("debug/deps/libpages-02.rlib").exists());
        assert_eq!(seed(&from, &to, &crates).expect("nothing to do"), 0);
    }
}
