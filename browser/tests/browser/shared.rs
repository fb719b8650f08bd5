//! What all tests share: Chromium, and the site of the book.

use anyhow::{Result, anyhow, ensure};
use browser::{Browser, View, Visit};
use export::Book;
use model::Project;
use scratch::Scratch;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Does something with Chromium. It is started for the first test, and exits when no test uses or awaits it: a static
/// would never be dropped.
pub fn with_browser<T>(act: impl FnOnce(&mut Browser) -> Result<T>) -> Result<T> {
    static BROWSER: Mutex<Weak<Mutex<Browser>>> = Mutex::new(Weak::new());
    let mut shared = lock(&BROWSER);
    let browser = match shared.upgrade() {
        Some(browser) => browser,
        None => Arc::new(Mutex::new(Browser::start()?)),
    };
    *shared = Arc::downgrade(&browser);
    drop(shared);
    act(&mut lock(&browser))
}

/// Locks even if another test has failed with the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The book and its site, built once.
pub fn site() -> Result<(&'static Project, &'static Book)> {
    static SITE: LazyLock<Result<(Project, Book), String>> = LazyLock::new(|| {
        let build = || {
            let project = Project::open(ROOT)?;
            let folder = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/browser-site"));
            let book = Book::build(&project, folder)?;
            anyhow::Ok((project, book))
        };
        build().map_err(|error| format!("{error:#}"))
    });
    match &*SITE {
        Ok((project, book)) => Ok((project, book)),
        Err(error) => Err(anyhow!("the book does not build:\n{error}")),
    }
}

/// Opens a page of the book, and does something there.
pub fn visit<T>(
    page: &str,
    view: View,
    acts: impl AsyncFnOnce(&Visit<'_>) -> Result<T>,
) -> Result<T> {
    let folder = &site()?.1.site;
    with_browser(|browser| browser.visit(folder, page, view, acts))
}

/// Opens a page of a copy of the book's site, in which a part of a script was replaced.
pub fn visit_changed(
    page: &str,
    script: &str,
    (old, new): (&str, &str),
    acts: impl AsyncFnOnce(&Visit<'_>) -> Result<()>,
) -> Result<()> {
    let scratch = Scratch::sound();
    let folder = copy(&scratch, "site")?;
    let script = folder.join(script);
    let text = fs::read_to_string(&script)?;
    ensure!(text.contains(old), "the script has no `{old}`");
    fs::write(&script, text.replace(old, new))?;
    with_browser(|browser| browser.visit(&folder, page, View::DESKTOP, acts))
}

/// Copies the book's site into a folder.
pub fn copy(scratch: &Scratch, folder: &str) -> Result<PathBuf> {
    fn copy_all(from: &Path, to: &Path) -> Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let to = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                copy_all(&entry.path(), &to)?;
            } else {
                fs::copy(entry.path(), to)?;
            }
        }
        Ok(())
    }
    let folder = scratch.path(folder);
    copy_all(&site()?.1.site, &folder)?;
    Ok(folder)
}
