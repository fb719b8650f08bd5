//! Small books in temporary folders, for the tools' tests to break.
//!
//! A new one is sound: it has one part, `demo`, without dependencies, one listing, `demo/hello`, and one page that
//! shows it, `src/page.md`.
//!
//! Every function panics on an I/O error, because only tests call them.

mod cases;

pub use cases::{Case, cases, is_like, missing_line, write_section};

use std::collections::BTreeMap;
use std::env;
use std::fmt::{Debug, Display};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use tempfile::TempDir;

/// A book in a folder of its own, which is removed when this is dropped.
pub struct Scratch {
    root: PathBuf,
    /// Kept alive: dropping it removes the folder.
    _folder: TempDir,
}

/// The page of a new book.
pub const PAGE: &str = "# Page\n\nA greeting:\n\n{{#listing demo/hello}}\n{{#output demo/hello}}\n";

/// The listing of a new book.
pub const HELLO: &str = "//! Say hello.\n\nfn main() {\n    println!(\"hello\");\n}\n";

impl Scratch {
    /// A sound book.
    pub fn sound() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("scratch-book-")
            .tempdir()
            .expect("a temporary folder");
        let root = fs::canonicalize(folder.path()).expect("the temporary folder is there");
        let book = Self {
            root,
            _folder: folder,
        };
        let [case] = &*cases(include_str!("sound.txt")) else {
            panic!("sound.txt has one case");
        };
        case.write_to(&book);
        book.write("listings/demo/src/bin/hello.rs", HELLO);
        book.write("src/page.md", PAGE);
        book
    }

    /// The book's root folder, without symbolic links in its path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the root.
    pub fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }

    /// Writes a file below the root, and creates the folders that it needs.
    pub fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a file lies in a folder"))
            .expect("folders can be made");
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The text of a file below the root.
    pub fn read(&self, file: &str) -> String {
        let path = self.path(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Removes a file below the root.
    pub fn remove(&self, file: &str) {
        let path = self.path(file);
        fs::remove_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Writes a listing of the part `demo` with a caption, this body of `main`, and this output.
    pub fn listing(&self, name: &str, main: &str, output: &str) {
        let program = format!("//! A listing.\n\nfn main() {{\n{main}\n}}\n");
        self.write(&format!("listings/demo/src/bin/{name}.rs"), program);
        self.write(&format!("listings/demo/src/bin/{name}.out"), output);
    }

    /// Every file with its text, except those below these folders of the root.
    pub fn files_without(&self, folders: &[&str]) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        for entry in entries(&self.root) {
            if !folders.iter().any(|folder| entry.ends_with(folder)) {
                collect(&entry, &mut files);
            }
        }
        files
    }
}

/// The rows of a table for a test, whose columns are separated by ` | `. `\n` is a newline.
pub fn rows<const N: usize>(table: &str) -> Vec<[String; N]> {
    let rows = table.trim().lines().map(|line| {
        let cells = line.split(" | ").map(|cell| cell.replace("\\n", "\n"));
        let cells: Vec<_> = cells.collect();
        cells
            .try_into()
            .unwrap_or_else(|_| panic!("this row does not have {N} columns: {line}"))
    });
    rows.collect()
}

fn collect(path: &Path, files: &mut BTreeMap<PathBuf, String>) {
    if path.is_dir() {
        entries(path).iter().for_each(|entry| collect(entry, files));
        return;
    }
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    files.insert(
        path.to_owned(),
        String::from_utf8_lossy(&bytes).into_owned(),
    );
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.expect("a folder can be read").path())
        .collect()
}

/// Creates a symbolic link to a file or folder. On Windows, not every user has the right to do that.
pub fn link(to: &Path, at: &Path) {
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(to, at);
    #[cfg(windows)]
    let made = match to.is_dir() {
        true => std::os::windows::fs::symlink_dir(to, at),
        false => std::os::windows::fs::symlink_file(to, at),
    };
    made.unwrap_or_else(|error| panic!("{}: {error}", at.display()));
}

/// Asserts that a check works and finds no problem.
///
/// # Panics
///
/// There are problems: the message has all of them, sorted, each once.
#[track_caller]
pub fn assert_no_problems<P: Display + Ord, E: Debug>(found: Result<Vec<P>, E>) {
    let mut problems = found.expect("the check itself works");
    problems.sort();
    problems.dedup();
    let problems = render(Ok::<_, E>(problems));
    assert!(problems.is_empty(), "the book has problems:\n{problems}");
}

/// The problems that a check finds, one on each line, to compare with an expected text.
///
/// # Panics
///
/// The check itself fails.
#[track_caller]
pub fn render<P: Display, E: Debug>(found: Result<Vec<P>, E>) -> String {
    let problems = found.expect("the check itself works");
    problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect()
}

/// Asserts that a text contains another one.
#[track_caller]
pub fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is missing in:\n{text}");
}

/// Runs a test program with this `CARGO_TARGET_DIR`, for which it starts itself again: the packages of scratch books share a
/// name, so they must not share the folder into which the tests themselves are built.
pub fn with_target(folder: &Path, run: impl FnOnce() -> ExitCode) -> ExitCode {
    const VARIABLE: &str = "CARGO_TARGET_DIR";
    if env::var_os(VARIABLE).is_some_and(|it| it == *folder) {
        return run();
    }
    let itself = env::current_exe().expect("this program is a file");
    let mut again = Command::new(itself);
    again.args(env::args_os().skip(1)).env(VARIABLE, folder);
    let status = again.status().expect("this program starts once more");
    ExitCode::from(u8::from(!status.success()))
}

/// Test functions as trials of `libtest_mimic`, each with the function's name.
#[macro_export]
macro_rules! trials {
    ($($test:ident),* $(,)?) => {
        [$(libtest_mimic::Trial::test(stringify!($test), || { $test(); Ok(()) })),*]
    };
}
