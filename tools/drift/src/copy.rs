//! The copy of the book that is broken: what git knows of, in a folder of its own.

use crate::breakage::Edit;
use anyhow::{Context, Result, bail};
use model::Project;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy of the book.
#[derive(Debug)]
pub struct Copy {
    original: PathBuf,
    root: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Copies the book as it lies there, committed or not, into a folder. A copy that is there already is
    /// brought up to date; what was built for it is used again.
    ///
    /// # Errors
    ///
    /// The book lies in no git repository, or a file cannot be copied.
    pub fn make(project: &Project, folder: &Path) -> Result<Self> {
        let copy = Self {
            original: project.root().to_owned(),
            root: folder.join("book"),
            target: folder.join("target"),
        };
        fs::create_dir_all(&copy.root)
            .with_context(|| format!("cannot make {}", copy.root.display()))?;
        let files: BTreeSet<String> = git(
            project.root(),
            &[
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ],
        )?
        .split('\0')
        .filter(|file| !file.is_empty() && project.has(file))
        .map(str::to_owned)
        .collect();
        for file in &files {
            copy.restore_file(file)?;
        }
        copy.remove_others(&copy.root, &files)?;
        // A repository of its own: some checks ask git what was published.
        if !copy.root.join(".git").is_dir() {
            git(&copy.root, &["init", "--quiet"])?;
        }
        git(&copy.root, &["add", "--all"])?;
        git(
            &copy.root,
            &[
                "-c",
                "user.name=drift",
                "-c",
                "user.email=drift@localhost",
                "commit",
                "--quiet",
                "--allow-empty",
                "--message=The sound book",
            ],
        )?;
        Ok(copy)
    }

    /// The copied book.
    ///
    /// # Errors
    ///
    /// It has no book.toml.
    pub fn project(&self) -> Result<Project> {
        Project::open(&self.root)
    }

    /// The folder of the copied book.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo puts what it builds for the copy.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Breaks the copy.
    ///
    /// # Errors
    ///
    /// A file cannot be written or removed.
    pub fn apply(&self, edits: &[Edit]) -> Result<()> {
        for edit in edits {
            let path = self.root.join(&edit.file);
            match &edit.text {
                Some(text) => {
                    let folder = path.parent().context("a file lies in a folder")?;
                    fs::create_dir_all(folder)
                        .with_context(|| format!("cannot make {}", folder.display()))?;
                    fs::write(&path, text)
                }
                None => fs::remove_file(&path),
            }
            .with_context(|| format!("cannot change {}", path.display()))?;
        }
        Ok(())
    }

    /// Mends the copy.
    ///
    /// # Errors
    ///
    /// A file cannot be written or removed.
    pub fn restore(&self, edits: &[Edit]) -> Result<()> {
        for edit in edits {
            if self.original.join(&edit.file).is_file() {
                self.restore_file(&edit.file)?;
            } else {
                let path = self.root.join(&edit.file);
                fs::remove_file(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        // Cargo writes the lock file where a manifest was changed.
        self.restore_file("Cargo.lock")
    }

    /// Copies a file, unless the copy is the same already: what is newer is built again.
    fn restore_file(&self, file: &str) -> Result<()> {
        let (from, to) = (self.original.join(file), self.root.join(file));
        let bytes = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
        if fs::read(&to).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        let folder = to.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))
    }

    fn remove_others(&self, folder: &Path, keep: &BTreeSet<String>) -> Result<()> {
        let cannot = || format!("cannot read {}", folder.display());
        for entry in fs::read_dir(folder).with_context(cannot)? {
            let path = entry.with_context(cannot)?.path();
            let below = path.strip_prefix(&self.root).unwrap_or(&path);
            let name = below.to_string_lossy().replace('\\', "/");
            if below == Path::new(".git") {
                continue;
            }
            if path.is_dir() {
                self.remove_others(&path, keep)?;
            } else if !keep.contains(&name) {
                fs::remove_file(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }
}

fn git<S: AsRef<OsStr>>(folder: &Path, arguments: &[S]) -> Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .output()
        .context("cannot start git, which tells what belongs to the book")?;
    if !output.status.success() {
        bail!(
            "git failed in {}: {}",
            folder.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn a_copy_is_broken_and_mended_and_the_book_stays() {
        let book = Scratch::sound();
        git(book.root(), &["init", "--quiet"]).expect("git is there");
        book.write(".gitignore", "/target\n");
        let project = Project::open(book.root()).expect("a book");
        let copy = Copy::make(&project, &book.root().join("target/drift")).expect("a copy");
        let page = book.read("src/page.md");
        let in_copy = |file: &str| fs::read_to_string(copy.root().join(file));
        assert_eq!(in_copy("src/page.md").ok(), Some(page.clone()));

        let edits = [
            Edit::write("src/page.md", "broken"),
            Edit::write("src/new/page.md", "new"),
            Edit::remove("listings/demo/src/bin/hello.out"),
        ];
        copy.apply(&edits).expect("it can be broken");
        assert_eq!(in_copy("src/page.md").ok().as_deref(), Some("broken"));
        assert!(in_copy("listings/demo/src/bin/hello.out").is_err());
        assert_eq!(book.read("src/page.md"), page);

        copy.restore(&edits).expect("it can be mended");
        assert_eq!(in_copy("src/page.md").ok(), Some(page));
        assert!(in_copy("src/new/page.md").is_err());
        assert_eq!(
            in_copy("listings/demo/src/bin/hello.out").ok().as_deref(),
            Some("hello\n")
        );
    }

    #[test]
    fn what_is_gone_from_the_book_goes_from_its_copy() {
        let book = Scratch::sound();
        git(book.root(), &["init", "--quiet"]).expect("git is there");
        book.write(".gitignore", "/target\n");
        book.write("src/old.md", "old");
        let project = Project::open(book.root()).expect("a book");
        let folder = book.root().join("target/drift");
        Copy::make(&project, &folder).expect("a copy");
        book.remove("src/old.md");
        let copy = Copy::make(&project, &folder).expect("a copy");
        assert!(!copy.root().join("src/old.md").exists());
        assert!(copy.root().join("src/page.md").exists());
    }
}
