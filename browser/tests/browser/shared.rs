//! What all tests share: Chromium, and the site of the book.

use anyhow::{Result, anyhow, ensure};
use browser::{Browser, View, Visit};
use export::Book;
use model::Project;
use scratch::Scratch;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// How many tests use a Chromium at the same time, each its own: one of them leaves a core idle while it waits.
const BROWSERS: usize = 2;

/// The browsers that run, and those among them that no test uses.
struct Pool {
    running: usize,
    idle: Vec<Browser>,
    /// How many tests use or await a browser.
    tests: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    running: 0,
    idle: Vec::new(),
    tests: 0,
});
static RETURNED: Condvar = Condvar::new();

/// A browser that a test uses, and returns even if it fails.
struct Lease(Option<Browser>);

impl Lease {
    fn new() -> Result<Self> {
        let mut pool = lock(&POOL);
        pool.tests += 1;
        loop {
            if let Some(browser) = pool.idle.pop() {
                return Ok(Self(Some(browser)));
            }
            if pool.running < BROWSERS {
                pool.running += 1;
                drop(pool);
                let mut lease = Self(None);
                lease.0 = Some(Browser::start()?);
                return Ok(lease);
            }
            pool = RETURNED.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut pool = lock(&POOL);
        pool.tests -= 1;
        match self.0.take() {
            Some(browser) => pool.idle.push(browser),
            None => pool.running -= 1,
        }
        if pool.tests == 0 {
            // A static is never dropped, and its browsers would keep running.
            pool.running -= pool.idle.len();
            pool.idle.clear();
        }
        RETURNED.notify_one();
    }
}

/// Does something with Chromium. It exits when no test uses or awaits one.
pub fn with_browser<T>(act: impl FnOnce(&mut Browser) -> Result<T>) -> Result<T> {
    let mut lease = Lease::new()?;
    let browser = lease
        .0
        .as_mut()
        .ok_or_else(|| anyhow!("there is no browser"))?;
    act(browser)
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
