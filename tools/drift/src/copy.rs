//! The copy of the book that is broken: all files that git knows of, in a folder of its own.

use crate::breakage::Edit;
use anyhow::{Context, Result, bail};
use model::Project;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy of the book.
#[derive(Debug)]
pub struct Copy {
    root: PathBuf,
}

impl Copy {
    /// Copies the book as it is on disk, committed or not. A copy that exists already is brought up to date, so that
    /// cargo builds only what has changed since.
    ///
    /// Fails if the book isn't in a git repository, or a file can't be copied.
    pub fn make(project: &Project, root: &Path) -> Result<Self> {
        let list = ["ls-files", "-z", "-co", "--exclude-standard"];
        let files: BTreeSet<String> = git(project.root(), &list)?
            .split('\0')
            .filter(|file| !file.is_empty() && project.has(file))
            .map(str::to_owned)
            .collect();
        for file in &files {
            let from = project.root().join(file);
            let bytes =
                fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
            write(&root.join(file), Some(&bytes))?;
        }
        remove_others(root, root, &files)?;
        // A repository of its own, because some checks ask git what was published.
        git(root, &["init", "--quiet"])?;
        git(root, &["add", "--all"])?;
        let author = [
            "-c",
            "user.name=drift",
            "-c",
            "user.email=drift@localhost",
            "-c",
            "commit.gpgsign=false",
        ];
        let commit = ["commit", "--quiet", "--allow-empty", "--message=The book"];
        git(root, &[&author[..], &commit[..]].concat())?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// The copied book.
    ///
    /// Fails if it has no book.toml.
    pub fn project(&self) -> Result<Project> {
        Project::open(&self.root)
    }

    /// The folder of the copied book.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes these edits, runs something, and restores the files.
    ///
    /// Fails if a file can't be changed or restored, or what is run fails.
    pub fn with_edits<T>(&self, edits: &[Edit], run: impl FnOnce() -> Result<T>) -> Result<T> {
        // Cargo writes the lock file when a manifest has changed.
        let files = edits.iter().map(|edit| edit.file.as_str());
        let before: Vec<_> = files
            .chain(["Cargo.lock"])
            .map(|file| {
                let path = self.root.join(file);
                let bytes = match fs::read(&path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => None,
                    read => Some(read.with_context(|| format!("cannot read {}", path.display()))?),
                };
                Ok((path, bytes))
            })
            .collect::<Result<_>>()?;
        let edited = edits.iter().try_for_each(|edit| {
            let bytes = edit.text.as_deref().map(str::as_bytes);
            write(&self.root.join(&edit.file), bytes)
        });
        let result = edited.and_then(|()| run());
        for (path, bytes) in before {
            write(&path, bytes.as_deref())?;
        }
        result
    }
}

/// Writes or removes a file, unless it is the same already: cargo builds again what is newer.
fn write(path: &Path, bytes: Option<&[u8]>) -> Result<()> {
    let is_same = match (fs::read(path), bytes) {
        (Ok(old), Some(new)) => old == new,
        (Err(error), None) => error.kind() == ErrorKind::NotFound,
        _ => false,
    };
    if is_same {
        return Ok(());
    }
    let Some(bytes) = bytes else {
        return fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()));
    };
    let folder = path.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Removes the files that aren't in the book anymore.
fn remove_others(root: &Path, folder: &Path, keep: &BTreeSet<String>) -> Result<()> {
    let cannot = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let below = path.strip_prefix(root).unwrap_or(&path);
        if below == Path::new(".git") {
            continue;
        }
        if path.is_dir() {
            remove_others(root, &path, keep)?;
            // Only if it is empty: cargo would look for a manifest in the folder of a crate that was removed.
            let _ = fs::remove_dir(&path);
        } else if !keep.contains(&below.to_string_lossy().replace('\\', "/")) {
            write(&path, None)?;
        }
    }
    Ok(())
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .output()
        .context("cannot start git, which knows which files belong to the book")?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("git failed in {}: {errors}", folder.display());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    fn book() -> (Scratch, Project, PathBuf) {
        let book = Scratch::sound();
        git(book.root(), &["init", "--quiet"]).expect("git is there");
        book.write(".gitignore", "/target\n");
        let project = Project::open(book.root()).expect("a book");
        let folder = book.path("target/drift/book");
        (book, project, folder)
    }

    #[test]
    fn a_copy_is_broken_and_restored_and_the_book_is_untouched() {
        let (book, project, folder) = book();
        let copy = Copy::make(&project, &folder).expect("a copy");
        let files = || {
            [
                "src/page.md",
                "src/new/page.md",
                "listings/demo/src/bin/hello.out",
            ]
            .map(|file| fs::read_to_string(copy.root().join(file)).ok())
        };
        let page = Some(book.read("src/page.md"));
        let unbroken = [page.clone(), None, Some("hello\n".to_owned())];
        assert_eq!(files(), unbroken);

        let edits = [
            Edit::write("src/page.md", "broken"),
            Edit::write("src/new/page.md", "new"),
            Edit::remove("listings/demo/src/bin/hello.out"),
        ];
        let seen = copy
            .with_edits(&edits, || Ok(files()))
            .expect("it can be broken");
        assert_eq!(
            seen,
            [Some("broken".to_owned()), Some("new".to_owned()), None]
        );
        assert_eq!(files(), unbroken);
        copy.with_edits::<()>(&edits, || bail!("the check cannot be started"))
            .expect_err("the error is handed on");
        assert_eq!(files(), unbroken);
        assert_eq!(Some(book.read("src/page.md")), page);
    }

    #[test]
    fn files_that_the_book_no_longer_has_are_removed_from_its_copy() {
        let (book, project, folder) = book();
        book.write("src/old/page.md", "old");
        Copy::make(&project, &folder).expect("a copy");
        book.remove("src/old/page.md");
        let copy = Copy::make(&project, &folder).expect("a copy");
        assert!(!copy.root().join("src/old").exists());
        assert!(copy.root().join("src/page.md").exists());
    }
}
