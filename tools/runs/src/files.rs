//! Writes what cargo builds from, and leaves unchanged files untouched, so that cargo doesn't build them again.

use anyhow::{Context, Result};
use model::Project;
use std::fs;
use std::path::Path;

/// Writes a file, with the folders that it needs, only where it says something else.
///
/// Fails if it cannot be written.
pub fn write_if_changed(file: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let cannot = || format!("cannot write {}", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(cannot)?;
    }
    fs::write(file, text).with_context(cannot)
}

/// Gives a workspace in a folder the versions of the book's Cargo.lock.
///
/// Cargo cuts its copy down to what that workspace needs, and adds the workspace's own packages; so another
/// copy beside it tells whether the book's has changed.
///
/// Fails if the book has no Cargo.lock, or a file cannot be written.
pub fn lock_as_the_book(project: &Project, folder: &Path) -> Result<()> {
    let lock = project.read("Cargo.lock")?;
    let before = folder.join("book.lock");
    if fs::read_to_string(&before).ok().as_deref() != Some(&lock) {
        write_if_changed(&folder.join("Cargo.lock"), &lock)?;
        write_if_changed(&before, &lock)?;
    }
    Ok(())
}

/// The file of a place in a crate or in the standard library, as it's called on every machine.
pub(crate) fn file_elsewhere(place: &str) -> Option<String> {
    let path = place.rsplitn(3, ':').nth(2)?;
    if let Some((_, below)) = path.split_once("/registry/src/") {
        let mut parts = below.splitn(3, '/').skip(1);
        let (package, file) = (parts.next()?, parts.next()?);
        let (name, _version) = package.rsplit_once('-')?;
        return Some(format!("$CARGO/{name}-$VERSION/{file}"));
    }
    let (_, file) = path
        .split_once("/rustc/")
        .and_then(|(_, below)| below.split_once("/library/"))
        .or_else(|| path.split_once("/lib/rustlib/src/rust/library/"))?;
    Some(format!("$RUST/{file}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn a_file_that_says_the_same_stays_untouched() {
        let book = Scratch::sound();
        let file = book.path("new/file.txt");
        write_if_changed(&file, "a").expect("it can be written");
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        let handle = fs::File::options()
            .append(true)
            .open(&file)
            .expect("it is there");
        handle.set_modified(long_ago).expect("it has a time");
        let modified = || {
            fs::metadata(&file)
                .and_then(|it| it.modified())
                .expect("it has a time")
        };
        write_if_changed(&file, "a").expect("it can be written");
        assert_eq!(modified(), long_ago);
        write_if_changed(&file, "b").expect("it can be written");
        assert_eq!(book.read("new/file.txt"), "b");
        assert_ne!(modified(), long_ago);
    }

    #[test]
    fn cargo_s_own_changes_to_the_copied_lock_file_stay() {
        let book = Scratch::sound();
        let project = Project::open(book.root()).expect("a book");
        let folder = book.path("copy");
        let lock = || lock_as_the_book(&project, &folder).expect("it can be written");
        lock();
        assert_eq!(book.read("copy/Cargo.lock"), book.read("Cargo.lock"));
        book.write("copy/Cargo.lock", "cut down");
        lock();
        assert_eq!(book.read("copy/Cargo.lock"), "cut down");
        book.write("Cargo.lock", "another");
        lock();
        assert_eq!(book.read("copy/Cargo.lock"), "another");
    }
}
