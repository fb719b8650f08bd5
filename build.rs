//! Makes a check of each program that a page shows.
//!
//! 1. Render every page as a reader gets it: the preprocessor that the site is built with, and
//!    mdBook's own renderer, which decides what a hidden line is.
//! 2. Read the Rust blocks back out of the HTML, hidden lines included.
//! 3. Hand each distinct program to skeptic, in a Markdown file of its own named after its listing.
//!    (skeptic reads raw Markdown: it would see directives on the pages themselves.)
//! 4. Turn the tests that skeptic writes into plain functions and list them, with the places where the
//!    pages show them, for `tests/skeptic.rs`, which says why.
//!
//! A mistake in the book does not fail this build, which would keep all other tests from running; it
//! is recorded, and `tests/skeptic.rs` and `tests/pages.rs` fail with it.

use model::Project;
use render::site;
use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use verify::blocks::{Origin, rust_blocks};

/// A program that pages show.
struct Program {
    /// Its listing, as `part/name`.
    listing: String,
    /// Its text as the reader copies it.
    text: String,
    /// The pages that show it, each once for each time.
    pages: Vec<String>,
}

/// What the pages hold.
#[derive(Default)]
struct Shown {
    programs: Vec<Program>,
    /// Blocks that show a program which must not compile.
    compile_fail: usize,
    /// Blocks that show a program which needs a build of Tokio of its own.
    unstable: usize,
    /// What is wrong with the book.
    problems: Vec<String>,
}

/// A time before any build.
const LONG_AGO: SystemTime = SystemTime::UNIX_EPOCH;

fn main() -> Result<(), Box<dyn Error>> {
    for path in [
        "src",
        "listings",
        "book.toml",
        "Cargo.toml",
        "Cargo.lock",
        "theme",
    ] {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rerun-if-env-changed=MDBOOK_OUTPUT__HTML__GIT_REPOSITORY_URL");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let project = Project::open(env::var("CARGO_MANIFEST_DIR")?)?;
    let shown = read_pages(&project, &out.join("site"))?;
    let checks = skeptic_checks(&shown, &out.join("programs"), &out)?;
    fs::write(out.join("programs.rs"), table(&shown, &checks))?;
    Ok(())
}

fn read_pages(project: &Project, folder: &Path) -> Result<Shown, Box<dyn Error>> {
    let mut shown = Shown::default();
    fs::create_dir_all(folder)?;
    let pages = match site::build(project, folder) {
        Ok(pages) => pages,
        Err(error) => {
            shown.problems = match error.downcast_ref::<model::Problems>() {
                Some(problems) => problems.iter().map(ToString::to_string).collect(),
                None => vec![format!("{error:#}")],
            };
            return Ok(shown);
        }
    };
    let mut programs: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for page in pages {
        let html = fs::read_to_string(folder.join(&page.html))?;
        for block in rust_blocks(&html) {
            match block.origin {
                Some(Origin::Listing(name)) => {
                    // Two cuts of one listing are one program, and it is checked once.
                    programs
                        .entry((name, block.program))
                        .or_default()
                        .push(page.source.clone());
                }
                Some(Origin::CompileFail(_)) => shown.compile_fail += 1,
                Some(Origin::Unstable(_)) => shown.unstable += 1,
                None => shown.problems.push(format!(
                    "{}: a block of Rust that no directive made, so nothing checks it:\n{}",
                    page.source, block.program
                )),
            }
        }
    }
    for ((listing, text), pages) in programs {
        shown.programs.push(Program {
            listing,
            text,
            pages,
        });
    }
    Ok(shown)
}

/// Has skeptic write its tests, and returns them as functions: their text, and their names in the
/// order of the programs.
fn skeptic_checks(
    shown: &Shown,
    folder: &Path,
    out: &Path,
) -> Result<(String, Vec<String>), Box<dyn Error>> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    let mut files = Vec::new();
    let mut names = Vec::new();
    for (number, program) in shown.programs.iter().enumerate() {
        let file = folder.join(format!("program_{number}.md"));
        let text = for_skeptic(&program.text);
        fs::write(&file, format!("````````rust\n{text}````````\n"))?;
        // skeptic has cargo run this again when the file is newer than its last run, which it always
        // would be: the run itself writes it.
        fs::File::options()
            .append(true)
            .open(&file)?
            .set_modified(LONG_AGO)?;
        files.push(file);
        // skeptic names a test after its file and line.
        names.push(format!("program_{number}_line_1"));
    }
    let tests = out.join("skeptic-tests.rs");
    fs::write(&tests, "")?;
    skeptic::generate_doc_tests(&files);
    let mut functions = fs::read_to_string(&tests)?;
    for name in &names {
        let test = format!("#[test] fn {name}() {{");
        if functions.matches(&test).count() != 1 {
            return Err(format!("skeptic made no test `{name}` in {}", tests.display()).into());
        }
        functions = functions.replace(&test, &format!("fn {name}() {{"));
    }
    Ok((functions, names))
}

/// skeptic takes a leading `# ` off every line, as the mark of a hidden one; here nothing is hidden.
fn for_skeptic(program: &str) -> String {
    let mut text = String::new();
    for line in program.lines() {
        let start = line.trim_start();
        if start.starts_with("# ") || start == "#" {
            text.push_str("# ");
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn table(shown: &Shown, (functions, names): &(String, Vec<String>)) -> String {
    let mut code = format!("{functions}\npub const PROGRAMS: &[Program] = &[\n");
    for (program, check) in shown.programs.iter().zip(names) {
        let Program { listing, pages, .. } = program;
        let _ = writeln!(
            code,
            "    Program {{ listing: {listing:?}, pages: &{pages:?}, check: {check} }},"
        );
    }
    let _ = write!(
        code,
        "];\npub const COMPILE_FAIL_BLOCKS: usize = {};\npub const UNSTABLE_BLOCKS: usize = {};\n\
         pub const PROBLEMS: &[&str] = &{:?};\n",
        shown.compile_fail, shown.unstable, shown.problems
    );
    code
}
