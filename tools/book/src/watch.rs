//! Tells what changed in the book's folder.

use anyhow::{Context, Result};
use model::{ListingName, Project};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// An editor writes a file in several steps; what follows this soon belongs to the same change.
const SETTLE: Duration = Duration::from_millis(40);

/// What is watched, relative to the book's root.
const WATCHED: &[&str] = &["src", "listings", "theme"];
const WATCHED_FILES: &[&str] = &["book.toml", "Cargo.toml", "Cargo.lock"];

/// What changed since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The listings whose programs changed and are still there.
    pub listings: BTreeSet<ListingName>,
    /// All files that changed, came or went, relative to the book's root.
    pub files: BTreeSet<PathBuf>,
}

/// Watches the folders that the book is made of.
pub struct Watch {
    root: PathBuf,
    events: Receiver<notify::Result<Event>>,
    /// Kept alive: dropping it ends the watching.
    _watcher: RecommendedWatcher,
    /// What each file held when last seen, so that a save without a change is none.
    seen: BTreeMap<PathBuf, u64>,
}

impl Watch {
    /// Starts watching.
    ///
    /// # Errors
    ///
    /// The system cannot watch the folders.
    pub fn start(project: &Project) -> Result<Self> {
        let root = project.root().to_owned();
        let (sender, events) = channel();
        let mut watcher =
            notify::recommended_watcher(sender).context("cannot watch files for changes")?;
        for folder in WATCHED
            .iter()
            .map(|name| root.join(name))
            .filter(|path| path.is_dir())
        {
            watcher
                .watch(&folder, RecursiveMode::Recursive)
                .with_context(|| format!("cannot watch {} for changes", folder.display()))?;
        }
        // The files at the root are watched through it: an editor may replace them.
        watcher
            .watch(&root, RecursiveMode::NonRecursive)
            .with_context(|| format!("cannot watch {} for changes", root.display()))?;
        let mut watch = Self {
            root,
            events,
            _watcher: watcher,
            seen: BTreeMap::new(),
        };
        watch.seen = watch.look();
        Ok(watch)
    }

    /// Waits until something changes, and returns what; `None` when there is nothing more to come.
    pub fn next(&mut self) -> Option<Changes> {
        loop {
            let first = self.events.recv().ok()?;
            if !concerns_content(&first) {
                continue;
            }
            let mut settled = Instant::now() + SETTLE;
            loop {
                let left = settled.saturating_duration_since(Instant::now());
                match self.events.recv_timeout(left) {
                    Ok(event) if concerns_content(&event) => settled = Instant::now() + SETTLE,
                    Ok(_) => {}
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return None,
                }
            }
            let now = self.look();
            let changes = changes(&self.seen, &now);
            self.seen = now;
            if !changes.files.is_empty() {
                return Some(changes);
            }
        }
    }

    /// The hash of each watched file, by its path relative to the root.
    fn look(&self) -> BTreeMap<PathBuf, u64> {
        let mut files = BTreeMap::new();
        for name in WATCHED {
            hash_below(&self.root.join(name), Path::new(name), &mut files);
        }
        for name in WATCHED_FILES {
            hash_file(&self.root.join(name), Path::new(name), &mut files);
        }
        files
    }
}

/// Reading a file raises events too; a build that reads all of them must not start the next build.
fn concerns_content(event: &notify::Result<Event>) -> bool {
    match event {
        Ok(event) => !matches!(event.kind, EventKind::Access(_)),
        // An error may hide a change: look.
        Err(_) => true,
    }
}

fn hash_below(folder: &Path, name: &Path, files: &mut BTreeMap<PathBuf, u64>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let below = name.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => hash_below(&entry.path(), &below, files),
            _ => hash_file(&entry.path(), &below, files),
        }
    }
}

fn hash_file(path: &Path, name: &Path, files: &mut BTreeMap<PathBuf, u64>) {
    if let Ok(bytes) = fs::read(path) {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        files.insert(name.to_owned(), hasher.finish());
    }
}

fn changes(before: &BTreeMap<PathBuf, u64>, now: &BTreeMap<PathBuf, u64>) -> Changes {
    let touched = |(path, hash): &(&PathBuf, &u64)| before.get(*path) != Some(*hash);
    let written = now.iter().filter(touched).map(|(path, _)| path);
    let gone = before.keys().filter(|path| !now.contains_key(*path));
    let listings = written.clone().filter_map(|path| listing(path)).collect();
    Changes {
        listings,
        files: written.chain(gone).cloned().collect(),
    }
}

/// The listing whose program a path is: `listings/<part>/src/bin/<name>.rs`.
fn listing(path: &Path) -> Option<ListingName> {
    let path = path.to_str()?.replace('\\', "/");
    let (part, file) = path.strip_prefix("listings/")?.split_once("/src/bin/")?;
    ListingName::parse(&format!("{part}/{}", file.strip_suffix(".rs")?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(files: &[(&str, u64)]) -> BTreeMap<PathBuf, u64> {
        files
            .iter()
            .map(|(path, hash)| (PathBuf::from(path), *hash))
            .collect()
    }

    #[test]
    fn tells_what_was_written_came_and_went() {
        let before = state(&[
            ("src/a.md", 1),
            ("src/b.md", 1),
            ("listings/tasks/src/bin/x.rs", 1),
        ]);
        let now = state(&[
            ("src/a.md", 1),
            ("src/c.md", 1),
            ("listings/tasks/src/bin/x.rs", 2),
        ]);
        let changes = changes(&before, &now);
        let files: Vec<_> = changes.files.iter().map(|f| f.to_str().unwrap()).collect();
        assert_eq!(
            files,
            ["listings/tasks/src/bin/x.rs", "src/b.md", "src/c.md"]
        );
        assert_eq!(
            changes
                .listings
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            ["tasks/x"]
        );
    }

    #[test]
    fn a_save_without_a_change_is_none() {
        let files = state(&[("src/a.md", 1)]);
        assert_eq!(changes(&files, &files), Changes::default());
    }

    #[test]
    fn an_output_is_no_program() {
        assert_eq!(listing(Path::new("listings/tasks/src/bin/x.out")), None);
        assert_eq!(listing(Path::new("listings/tasks/Cargo.toml")), None);
    }
}
