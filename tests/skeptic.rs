//! Promise: every program that a reader sees, hidden lines included, compiles and runs as it stands.
//!
//! `build.rs` renders the pages, reads the programs back out of the HTML, and has skeptic make a check
//! of each: skeptic compiles it with `rustc` against the crates that this package depends on, as a
//! reader would who pastes it into a project with the shown manifest, and runs it.
//!
//! Three things stand around skeptic 0.14.2, each for one reason:
//!
//! - **Edition 2024.** skeptic asks for the newest edition it knows, 2021, of the compiler that the
//!   variable `RUSTC` names. So this executable names *itself*, and when it is started as a compiler
//!   it passes everything on to the real one with the edition put right. That needs no script, and so
//!   works on Windows too, and nothing in `.cargo/config.toml` that other builds would inherit.
//! - **The variable and the output.** A process cannot set its own environment without `unsafe`, and
//!   skeptic prints what a program prints, where only libtest could catch it. So the checks run in a
//!   few worker processes, copies of this executable with `RUSTC` set, whose output is collected for
//!   each check and shown where it fails.
//! - **Speed without "Text file busy".** A program is compiled again only when it, the compiler or a
//!   crate changed. skeptic's own `binary-cache` does that too, but copies executables in a process of
//!   many threads: where another thread forks at that moment, the child still holds the file open for
//!   writing, and starting it fails now and then. Here the compiler's stand-in keeps them: it is a
//!   process of one thread, and has ended before anyone starts what it copied. What is kept is the
//!   executable; it runs every time.

use libtest_mimic::{Arguments, Trial};
use model::{Project, census};
use std::process::ExitCode;
use std::sync::Arc;

mod skeptic_compiler;
mod skeptic_worker;

/// A program that pages show.
pub struct Program {
    /// Its listing, as `part/name`.
    pub listing: &'static str,
    /// The pages that show it, one entry for each block.
    pub pages: &'static [&'static str],
    /// skeptic's check: compiles and runs it, and panics where that fails.
    pub check: fn(),
}

#[allow(clippy::needless_raw_string_hashes, reason = "written by skeptic")]
mod generated {
    use super::Program;
    include!(concat!(env!("OUT_DIR"), "/programs.rs"));
}
use generated::{COMPILE_FAIL_BLOCKS, PROBLEMS, PROGRAMS, UNSTABLE_BLOCKS};

fn main() -> ExitCode {
    if let Some(status) = skeptic_compiler::run_if_asked() {
        return status;
    }
    if skeptic_worker::run_if_asked(PROGRAMS) {
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    let workers = Arc::new(skeptic_worker::Workers::default());
    let mut trials: Vec<_> = PROGRAMS
        .iter()
        .enumerate()
        .map(|(number, program)| {
            let workers = Arc::clone(&workers);
            Trial::test(program.listing, move || {
                workers.check(number).map_err(|output| {
                    let pages = program.pages.join(", ");
                    format!(
                        "the program that {pages} shows as {} fails as it stands there:\n{output}",
                        program.listing
                    )
                    .into()
                })
            })
        })
        .collect();
    trials.push(Trial::test("the_book_has_no_problems", || match PROBLEMS {
        [] => Ok(()),
        problems => Err(problems.join("\n").into()),
    }));
    trials.push(Trial::test("programs_are_compiled_in_edition_2024", || {
        Ok(skeptic_compiler::takes_edition_2024()?)
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    let whole = arguments.filter.is_none() && arguments.skip.is_empty() && !arguments.list;
    if whole && !conclusion.has_failed() {
        return counted(workers.compiled(), workers.run());
    }
    conclusion.exit_code()
}

/// Programs that readers see, programs that were compiled, programs that ran: all the same number.
fn counted(compiled: usize, run: usize) -> ExitCode {
    let blocks: usize = PROGRAMS.iter().map(|program| program.pages.len()).sum();
    let seen = PROGRAMS.len();
    println!(
        "{blocks} blocks of Rust on the pages show {seen} programs that must run: {compiled} compiled, {run} ran\n\
         {COMPILE_FAIL_BLOCKS} blocks show programs that must not compile: see tests/compile_fail.rs\n\
         {UNSTABLE_BLOCKS} blocks show programs that need a build of Tokio of its own: see tests/unstable.rs"
    );
    let project = Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here");
    let told = census::count(&project, "blocks").expect("the pages can be read");
    if told != blocks + COMPILE_FAIL_BLOCKS + UNSTABLE_BLOCKS {
        eprintln!("error: src/verified.md tells of {told} blocks of Rust on the pages");
        return ExitCode::FAILURE;
    }
    if seen > 0 && seen == compiled && seen == run {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: the programs seen, compiled and run must be the same number, and not zero");
    ExitCode::FAILURE
}
