//! The book's folder: where its pages and listings are, and safe ways to read them.
//!
//! A [`Project`] reads a file whenever it's asked for. [`Project::loaded`] is the same book, read and parsed once: a
//! check or a build of the whole book takes that one.

use crate::problem::Problem;
use crate::program::{ProgramId, ProgramKind};
use anyhow::{Context, Result, ensure};
use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The book as it lies on disk.
#[derive(Debug, Clone)]
pub struct Project {
    root: PathBuf,
    fresh_outputs: BTreeMap<ProgramId, String>,
    loaded: Option<Arc<Loaded>>,
}

/// What was made of the book's files, by its type and what it was made of.
#[derive(Debug, Default)]
struct Loaded(Mutex<HashMap<(TypeId, String), Arc<dyn Any + Send + Sync>>>);

impl Project {
    /// The project whose root folder (the one with `book.toml`) is given.
    ///
    /// # Errors
    ///
    /// The folder has no `book.toml`.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        let root = real_path(root)
            .with_context(|| format!("cannot open the book's folder {}", root.display()))?;
        ensure!(
            root.join("book.toml").is_file(),
            "{} has no book.toml",
            root.display()
        );
        Ok(Self {
            root,
            fresh_outputs: BTreeMap::new(),
            loaded: None,
        })
    }

    /// The same book, of which everything is read and parsed only once, when it's first asked for. What changes
    /// afterwards isn't seen: load it again.
    #[must_use]
    pub fn loaded(&self) -> Self {
        Self {
            loaded: Some(Arc::default()),
            ..self.clone()
        }
    }

    /// What `load` makes of a file or folder; in a [loaded](Self::loaded) book, what it made of it the first time.
    pub fn once<T: Any + Send + Sync>(&self, of: &str, load: impl FnOnce() -> T) -> Arc<T> {
        let Some(Loaded(known)) = self.loaded.as_deref() else {
            return Arc::new(load());
        };
        let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (TypeId::of::<T>(), of.to_owned());
        let found = lock().get(&key).cloned();
        if let Some(Ok(found)) = found.map(Arc::downcast) {
            return found;
        }
        // Not under the lock: it asks for other things.
        let made = Arc::new(load());
        lock().insert(key, Arc::clone(&made) as Arc<dyn Any + Send + Sync>);
        made
    }

    /// The project that the folder lies in: itself or the nearest one above with a `book.toml`.
    ///
    /// # Errors
    ///
    /// No folder above has one.
    pub fn find(from: &Path) -> Result<Self> {
        let root = from.ancestors().find(|dir| dir.join("book.toml").is_file()).with_context(|| {
            format!(
                "neither {} nor a folder above it has a book.toml; run this inside the book's repository",
                from.display()
            )
        })?;
        Self::open(root)
    }

    /// The same project, with outputs of listings that ran just now; a page shows them in place of
    /// the committed ones, and says so where they differ.
    #[must_use]
    pub fn with_fresh_outputs(mut self, outputs: BTreeMap<ProgramId, String>) -> Self {
        self.fresh_outputs = outputs;
        self
    }

    /// What a listing printed just now, where it ran since this project was opened.
    pub fn fresh_output(&self, name: &ProgramId) -> Option<&str> {
        self.fresh_outputs.get(name).map(String::as_str)
    }

    /// The root folder, absolute and without symbolic links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether there is a file at a path below the root.
    pub fn has(&self, file: &str) -> bool {
        self.root.join(file).is_file()
    }

    /// The text of a file below the root, with `\n` line ends.
    ///
    /// # Errors
    ///
    /// The file is not there, lies outside the book's folder (through a symbolic link, say), or is
    /// not UTF-8; the problem names the file, and the line where the bad byte is.
    pub fn read(&self, file: &str) -> Result<String, Problem> {
        let text = self.once(file, || self.read_again(file));
        text.as_ref().clone()
    }

    fn read_again(&self, file: &str) -> Result<String, Problem> {
        let real = self.inside(file)?;
        let bytes =
            fs::read(&real).map_err(|e| Problem::of(file, format!("cannot be read: {e}")))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
            Problem::at(
                file,
                line,
                "is not UTF-8 from here on; save the file as UTF-8",
            )
        })?;
        Ok(text.replace("\r\n", "\n"))
    }

    /// The path of a file below the root, without symbolic links.
    ///
    /// # Errors
    ///
    /// The file is not there, or lies outside the book's folder.
    pub fn inside(&self, file: &str) -> Result<PathBuf, Problem> {
        let path = self.root.join(file);
        let real = real_path(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Problem::of(file, "there is no such file"),
            _ => Problem::of(file, format!("cannot be read: {error}")),
        })?;
        if !real.starts_with(&self.root) {
            let message = format!(
                "is a symbolic link out of the book's folder, to {}; the book reads only its own files",
                real.display()
            );
            return Err(Problem::of(file, message));
        }
        Ok(real)
    }

    /// Where a file below `listings/` is to be written, now or once its folders are made.
    ///
    /// # Errors
    ///
    /// It would lie outside `listings/`, through a symbolic link or by its name.
    pub fn to_write(&self, file: &str) -> Result<PathBuf> {
        let below = Path::new(file);
        let is_plain = |part| matches!(part, Component::Normal(_));
        ensure!(
            below.starts_with("listings") && below.components().all(is_plain),
            "{file} lies outside listings/, where nothing is written"
        );
        let mut path = self.root.clone();
        for part in below.components() {
            path.push(part);
            let is_link = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_symlink());
            ensure!(
                !is_link,
                "{file}: {} is a symbolic link, and nothing is written through one; \
                 put a file or folder in its place",
                path.display()
            );
        }
        Ok(path)
    }

    /// All files below a folder, relative to the root with forward slashes, sorted; none if there's no such folder.
    ///
    /// # Errors
    ///
    /// A folder cannot be read.
    pub fn files_below(&self, folder: &str) -> Result<Vec<String>, Problem> {
        let path = self.root.join(folder);
        if !path.is_dir() {
            return Ok(Vec::new());
        }
        let failed = |error| Problem::of(folder, format!("cannot read the folder: {error}"));
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let below = format!("{folder}/{}", entry.file_name().to_string_lossy());
            // Symbolic links aren't followed: they may lead in a circle.
            if entry.file_type().map_err(failed)?.is_dir() {
                files.extend(self.files_below(&below)?);
            } else {
                files.push(below);
            }
        }
        files.sort();
        Ok(files)
    }

    /// The folders below `listings/` that are crates, sorted.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn crates(&self) -> Result<Vec<String>> {
        let folder = self.root.join("listings");
        let mut crates: Vec<_> = names_in(&folder)?
            .into_iter()
            .filter(|name| folder.join(name).join("Cargo.toml").is_file())
            .collect();
        crates.sort();
        Ok(crates)
    }

    /// The parts: the crates that consist of listings, sorted.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn parts(&self) -> Result<Vec<String>> {
        let mut parts = self.crates()?;
        parts.retain(|name| !self.is_source_crate(name));
        Ok(parts)
    }

    /// The crates of which pages show parts of files with `{{#source}}`, sorted: each is a program in several files, and no part.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn source_crates(&self) -> Result<Vec<String>> {
        let mut crates = self.crates()?;
        crates.retain(|name| self.is_source_crate(name));
        Ok(crates)
    }

    /// Whether a crate has a library, and no listings. (A part without a listing so far has neither.)
    fn is_source_crate(&self, name: &str) -> bool {
        let folder = self.root.join("listings").join(name).join("src");
        folder.join("lib.rs").is_file() && !folder.join("bin").is_dir()
    }

    /// The Rust files of the crates that aren't parts, relative to the root.
    ///
    /// # Errors
    ///
    /// A folder cannot be read.
    pub fn source_files(&self) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for name in self.source_crates()? {
            files.extend(self.files_below(&format!("listings/{name}"))?);
        }
        files.retain(|file| file.ends_with(".rs"));
        Ok(files)
    }

    /// All listings, sorted by part and name.
    ///
    /// # Errors
    ///
    /// A folder cannot be read.
    pub fn listings(&self) -> Result<Vec<ProgramId>> {
        self.programs(ProgramKind::Listing)
    }

    /// All programs that must not compile, sorted by part and name.
    ///
    /// # Errors
    ///
    /// A folder cannot be read.
    pub fn compile_fail_programs(&self) -> Result<Vec<ProgramId>> {
        self.programs(ProgramKind::CompileFail)
    }

    /// All programs that need `--cfg tokio_unstable`, sorted by part and name.
    ///
    /// # Errors
    ///
    /// A folder cannot be read.
    pub fn unstable_programs(&self) -> Result<Vec<ProgramId>> {
        self.programs(ProgramKind::Unstable)
    }

    /// All programs of a kind, sorted by part and name.
    ///
    /// # Errors
    ///
    /// A folder cannot be read.
    pub fn programs(&self, kind: ProgramKind) -> Result<Vec<ProgramId>> {
        let mut programs = Vec::new();
        for part in self.parts()? {
            let folder = self.root.join(format!("listings/{part}/{}", kind.folder()));
            if !folder.is_dir() {
                continue;
            }
            for file in names_in(&folder)? {
                if let Some(name) = file.strip_suffix(".rs") {
                    programs.push(ProgramId {
                        part: part.clone(),
                        name: name.to_owned(),
                    });
                }
            }
        }
        programs.sort();
        Ok(programs)
    }
}

/// A path without symbolic links, and without the `\\?\` that Windows puts before such paths, which
/// some programs do not take.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    let real = fs::canonicalize(path)?;
    Ok(match real.to_str().and_then(plain) {
        Some(plain) => plain.into(),
        None => real,
    })
}

/// The plain way to write a path such as `\\?\C:\book`.
fn plain(path: &str) -> Option<&str> {
    let plain = path.strip_prefix(r"\\?\")?;
    (plain.as_bytes().get(1) == Some(&b':')).then_some(plain)
}

fn names_in(folder: &Path) -> Result<Vec<String>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry
            .with_context(|| format!("cannot read {}", folder.display()))?
            .file_name();
        names.extend(name.into_string());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_with_a_library_and_without_listings_is_no_part() {
        let book = scratch::Scratch::sound();
        book.write("listings/shop/Cargo.toml", "");
        book.write("listings/shop/src/lib.rs", "");
        book.write("listings/shop/tests/all.rs", "");
        book.write("listings/fresh/Cargo.toml", "");
        book.write("listings/notes/note.txt", "");
        let project = Project::open(book.root()).expect("a book");
        assert_eq!(project.parts().expect("parts"), ["demo", "fresh"]);
        assert_eq!(project.source_crates().expect("crates"), ["shop"]);
        let files = project.source_files().expect("files");
        assert_eq!(
            files,
            ["listings/shop/src/lib.rs", "listings/shop/tests/all.rs"]
        );
        // In a part, a library belongs to no listing.
        book.write("listings/demo/src/lib.rs", "");
        assert_eq!(project.parts().expect("parts"), ["demo", "fresh"]);
    }

    #[test]
    fn the_long_form_of_a_windows_path_is_made_plain() {
        assert_eq!(plain(r"\\?\C:\book"), Some(r"C:\book"));
        assert_eq!(plain(r"\\?\UNC\server\book"), None);
        assert_eq!(plain("/home/book"), None);
    }
}
