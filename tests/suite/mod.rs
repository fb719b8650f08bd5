//! What the tests that look at each listing have in common: a test for each one, which runs if something has changed since
//! it passed.

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use model::{ProgramId, Project};
use runs::passed::{Passed, RERUN};
use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// A check of each listing.
pub struct Suite<B> {
    /// Its name: the name of the test.
    pub name: &'static str,
    /// The texts on which the check of a listing depends.
    pub depends_on: fn(&Project, &ProgramId) -> Result<Vec<String>>,
    /// Builds these listings.
    pub build: fn(&Project, &[ProgramId]) -> Result<B>,
    /// Checks one that has been built.
    pub check: fn(&Project, &B, &ProgramId) -> Result<(), String>,
}

impl<B: Send + Sync + 'static> Suite<B> {
    /// Checks those of the listings that the command line asks for; nothing else is built.
    ///
    /// # Panics
    ///
    /// There are no listings, or they cannot be read or built.
    pub fn run(self, project: Project, names: Vec<ProgramId>) -> ExitCode {
        let mut arguments = Arguments::from_args();
        // libtest reads the same variable, which .cargo/config.toml sets.
        arguments.test_threads = arguments.test_threads.or_else(threads);
        assert!(!names.is_empty(), "there are no programs to check");
        let asked: Vec<_> = names
            .into_iter()
            .filter(|name| is_asked(&arguments, &name.to_string()))
            .collect();
        let passed = Passed::load(&project, self.name).expect("the compiler can be asked");
        let mut stale = Vec::new();
        let mut keys = Vec::new();
        for name in &asked {
            let texts = (self.depends_on)(&project, name).expect("a listing can be read");
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let key = passed.key(&texts);
            keys.push(key);
            if !passed.has(name, key) {
                stale.push(name.clone());
            }
        }
        let started = Instant::now();
        let built = match arguments.list || stale.is_empty() {
            true => None,
            false => {
                let (name, number) = (self.name, stale.len());
                eprintln!("{name}: building {number} of {} programs", asked.len());
                let built = (self.build)(&project, &stale).expect("cargo starts");
                let seconds = started.elapsed().as_secs_f32();
                eprintln!("{name}: built in {seconds:.1} s");
                Some(built)
            }
        };
        let shared = Arc::new((project, built, passed));
        let (number, changed) = (asked.len(), stale.len());
        let trials = asked
            .into_iter()
            .zip(keys)
            .map(|(name, key)| {
                let shared = Arc::clone(&shared);
                Trial::test(name.to_string(), move || {
                    let (project, built, passed) = &*shared;
                    if passed.has(&name, key) {
                        return Ok(());
                    }
                    let built = built.as_ref().ok_or("it was not built")?;
                    (self.check)(project, built, &name)?;
                    passed.insert(&name, key);
                    Ok(())
                })
            })
            .collect();
        let conclusion = libtest_mimic::run(&arguments, trials);
        shared.2.save().expect("what passed can be noted");
        if !arguments.list {
            println!(
                "{}: {number} programs, {changed} of them changed since they last passed here ({RERUN}=1 runs all)",
                self.name
            );
        }
        conclusion.exit_code()
    }
}

/// How many tests run at a time.
fn threads() -> Option<usize> {
    env::var("RUST_TEST_THREADS").ok()?.parse().ok()
}

/// Whether the command line asks for a test, as libtest decides it.
fn is_asked(arguments: &Arguments, name: &str) -> bool {
    let matches = |filter: &String| match arguments.exact {
        true => name == filter,
        false => name.contains(filter),
    };
    arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches)
}

/// The book.
pub fn book() -> Project {
    Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here")
}

/// The texts of files of the book, empty for those that there aren't.
pub fn texts<const N: usize>(project: &Project, files: [String; N]) -> Result<Vec<String>> {
    files.iter().map(|file| text(project, file)).collect()
}

/// The text of a file of the book; empty if there is none.
pub fn text(project: &Project, file: &str) -> Result<String> {
    Ok(match project.has(file) {
        true => project.read(file)?,
        false => String::new(),
    })
}
