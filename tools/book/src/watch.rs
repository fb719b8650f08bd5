//! Notices what changes in the book's folder.

use anyhow::{Context, Result};
use model::{ProgramId, Project, provenance};
use notify::{Event as Notified, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// An editor writes a file in several steps; events that follow this soon belong to the same change.
const SETTLE: Duration = Duration::from_millis(40);

/// What is watched, relative to the book's root.
const WATCHED: &[&str] = &["src", "listings", "theme"];
const WATCHED_FILES: &[&str] = &["book.toml", "Cargo.toml", "Cargo.lock"];

/// The hash of every file that the book is made of, by its path relative to the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<PathBuf, u64>);

impl Snapshot {
    /// The files as they are now.
    pub fn take(project: &Project) -> Self {
        let mut files = BTreeMap::new();
        for name in WATCHED {
            hash_below(&project.root().join(name), Path::new(name), &mut files);
        }
        for name in WATCHED_FILES {
            hash_file(&project.root().join(name), Path::new(name), &mut files);
        }
        Self(files)
    }

    /// Differs if a file, the commit, or this executable differs: all that a site is made of.
    pub fn fingerprint(&self, project: &Project) -> String {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        format!("{:?}", provenance::commit(project)).hash(&mut hasher);
        let built = env::current_exe().and_then(fs::metadata).ok();
        built
            .and_then(|file| file.modified().ok())
            .hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// What is different now.
    fn changes(&self, now: &Self) -> Changes {
        let is_new = |(path, hash): &(&PathBuf, &u64)| self.0.get(*path) != Some(*hash);
        let written = now.0.iter().filter(is_new).map(|(path, _)| path);
        let removed = self.0.keys().filter(|path| !now.0.contains_key(*path));
        let listings = written.clone().filter_map(|path| listing(path)).collect();
        Changes {
            listings,
            files: written.chain(removed).cloned().collect(),
        }
    }
}

/// What changed since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The listings whose programs changed and are still there.
    pub listings: BTreeSet<ProgramId>,
    /// All files that were changed, added, or removed, relative to the book's root.
    pub files: BTreeSet<PathBuf>,
}

/// What [`Watch::next`] waited for.
pub enum Event {
    /// Files changed.
    Changed(Changes),
    /// Nothing changed for the time given.
    Idle,
    /// Nothing is watched any longer.
    Closed,
}

/// Watches the folders that the book is made of.
pub struct Watch {
    project: Project,
    events: Receiver<notify::Result<Notified>>,
    /// Kept alive: dropping it stops the watching.
    _watcher: RecommendedWatcher,
    /// The files when they were last seen, so that a save that changes nothing isn't a change.
    pub seen: Snapshot,
}

impl Watch {
    /// Starts watching.
    ///
    /// Fails if the system cannot watch the folders.
    pub fn start(project: &Project) -> Result<Self> {
        let root = project.root();
        let (sender, events) = channel();
        let mut watcher =
            notify::recommended_watcher(sender).context("cannot watch files for changes")?;
        let folders = WATCHED.iter().map(|name| root.join(name));
        for folder in folders.filter(|path| path.is_dir()) {
            watcher
                .watch(&folder, RecursiveMode::Recursive)
                .with_context(|| format!("cannot watch {} for changes", folder.display()))?;
        }
        // The files at the root are watched through it: an editor may replace them.
        watcher
            .watch(root, RecursiveMode::NonRecursive)
            .with_context(|| format!("cannot watch {} for changes", root.display()))?;
        Ok(Self {
            events,
            _watcher: watcher,
            seen: Snapshot::take(project),
            project: project.clone(),
        })
    }

    /// Waits until something changes, or for the given time.
    pub fn next(&mut self, idle: Option<Duration>) -> Event {
        let idle = idle.map(|idle| Instant::now() + idle);
        loop {
            match self.event(idle) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(RecvTimeoutError::Timeout) => return Event::Idle,
                Err(RecvTimeoutError::Disconnected) => return Event::Closed,
            }
            let mut settled = Instant::now() + SETTLE;
            loop {
                match self.event(Some(settled)) {
                    Ok(true) => settled = Instant::now() + SETTLE,
                    Ok(false) => {}
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return Event::Closed,
                }
            }
            let now = Snapshot::take(&self.project);
            let changes = self.seen.changes(&now);
            self.seen = now;
            if !changes.files.is_empty() {
                return Event::Changed(changes);
            }
        }
    }

    /// Waits for an event; whether it may have changed what a file contains. (Reading a file raises events
    /// too, and a build that reads all of them must not start the next build.)
    fn event(&self, deadline: Option<Instant>) -> Result<bool, RecvTimeoutError> {
        let event = match deadline {
            Some(at) => self
                .events
                .recv_timeout(at.saturating_duration_since(Instant::now()))?,
            None => self
                .events
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected)?,
        };
        // An error may hide a change.
        Ok(event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_))))
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

/// The listing whose program a path is: `listings/<part>/src/bin/<name>.rs`.
fn listing(path: &Path) -> Option<ProgramId> {
    let path = path.to_str()?.replace('\\', "/");
    let (part, file) = path.strip_prefix("listings/")?.split_once("/src/bin/")?;
    ProgramId::parse(&format!("{part}/{}", file.strip_suffix(".rs")?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(files: &[(&str, u64)]) -> Snapshot {
        let files = files
            .iter()
            .map(|(path, hash)| (PathBuf::from(path), *hash));
        Snapshot(files.collect())
    }

    #[test]
    fn changed_added_and_removed_files_are_changes() {
        let listing = "listings/tasks/src/bin/x.rs";
        let before = snapshot(&[("src/a.md", 1), ("src/b.md", 1), (listing, 1)]);
        let now = snapshot(&[("src/a.md", 1), ("src/c.md", 1), (listing, 2)]);
        let changes = before.changes(&now);
        let files: Vec<_> = changes.files.iter().map(|f| f.to_str().unwrap()).collect();
        assert_eq!(files, [listing, "src/b.md", "src/c.md"]);
        let listings: Vec<_> = changes.listings.iter().map(ToString::to_string).collect();
        assert_eq!(listings, ["tasks/x"]);
        assert_eq!(now.changes(&now), Changes::default());
    }

    #[test]
    fn an_output_is_no_program() {
        assert_eq!(listing(Path::new("listings/tasks/src/bin/x.out")), None);
        assert_eq!(listing(Path::new("listings/tasks/Cargo.toml")), None);
    }
}
