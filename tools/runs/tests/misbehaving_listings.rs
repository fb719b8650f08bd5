//! A listing that misbehaves is stopped and reported, with its file and what to do; blessing writes what
//! changed, below `listings/` and nowhere else; and the compiler is asked about what must not compile.
//!
//! These tests have a `main` of their own, which removes the book that they share.

use libtest_mimic::{Arguments, Trial};
use model::{ProgramId, Project};
use runs::build::Built;
use runs::compile_fail;
use runs::run::{Limits, Misbehaved, Ran};
use runs::unstable;
use scratch::{Case, Scratch, assert_has, cases, link, missing_line, trials, with_target};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    // Each scratch book builds into its own folder.
    with_target(Path::new("target"), || {
        let mut trials = Vec::new();
        for (group, cases, test) in [
            ("a_listing", &*LISTINGS, is_reported as fn(&Case)),
            ("blessing", &*BLESSED, is_blessed),
        ] {
            trials.extend(cases.iter().map(|case| {
                Trial::test(format!("{group}::{}", case.name), move || {
                    test(case);
                    Ok(())
                })
            }));
        }
        trials.extend(trials![
            a_listing_that_does_not_compile_is_reported_and_the_others_run,
            what_must_not_compile_has_the_compilers_message,
            what_clippy_refuses_has_its_message,
            a_program_is_compiled_with_its_own_manifest,
            a_manifest_that_asks_for_what_is_not_locked_is_reported,
            an_unstable_program_is_built_apart_and_its_output_compared,
        ]);
        let with_links = trials![
            blessing_does_not_write_through_a_linked_file,
            blessing_does_not_write_through_a_linked_folder,
        ];
        // Windows does not let everyone make symbolic links.
        trials.extend(with_links.map(|trial| trial.with_ignored_flag(cfg!(windows))));
        let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
        drop(ZOO_BOOK.lock().map(|mut book| book.take()));
        conclusion.exit_code()
    })
}

fn name(name: &str) -> ProgramId {
    ProgramId::parse(&format!("demo/{name}")).expect("a name")
}

fn open(book: &Scratch) -> Project {
    Project::open(book.root()).expect("a book")
}

/// The text has these lines in their order, starting with the first one.
#[track_caller]
fn assert_says(text: &str, lines: &str) {
    let text = text.replace('\\', "/");
    assert!(
        text.starts_with(lines.lines().next().unwrap_or_default()),
        "{lines}:\n{text}"
    );
    assert_eq!(missing_line(&text, lines), None, "{text}");
}

// --- Running ---------------------------------------------------------------------------------------

/// Listings that misbehave, each with what is reported; `FILE` is the listing's file without its ending.
static LISTINGS: LazyLock<Vec<Case>> =
    LazyLock::new(|| cases(include_str!("misbehaving/listings.txt")));

/// A book of these listings, built once.
struct Zoo {
    project: Project,
    built: Built,
}

/// Its folder, which goes away at the end.
static ZOO_BOOK: Mutex<Option<Scratch>> = Mutex::new(None);

static ZOO: LazyLock<Zoo> = LazyLock::new(|| {
    let book = Scratch::sound();
    for case in &*LISTINGS {
        book.listing(&case.name, case.get("main"), "before\n");
        case.write_to(&book);
    }
    book.listing(
        "does_not_compile",
        "let number: u32 = \"one\"; println!(\"{number}\");",
        "",
    );
    let project = open(&book);
    let listings = project.listings().expect("listings can be listed");
    let built = runs::build::build(&project, &listings).expect("cargo builds");
    *ZOO_BOOK.lock().expect("only this writes to it") = Some(book);
    Zoo { project, built }
});

/// Enough for a listing that ends, on a slow machine too.
const PATIENT: Limits = Limits {
    time: Duration::from_secs(120),
    output: 64 * 1024,
};

fn run(listing: &str, limits: Limits) -> Result<Ran, Misbehaved> {
    let program = &ZOO.built.programs[&name(listing)];
    runs::run::run(program, ZOO.project.root(), limits).expect("it starts")
}

fn is_reported(case: &Case) {
    let listing = &*case.name;
    let time = case.get("milliseconds").trim_end().parse();
    let limits = Limits {
        time: time.map_or(PATIENT.time, Duration::from_millis),
        ..PATIENT
    };
    let started = Instant::now();
    let ran = run(listing, limits);
    assert!(
        started.elapsed() < PATIENT.time,
        "it was not stopped by what it printed"
    );
    let checked = runs::compare::check(&ZOO.project, &name(listing), &ran);
    let file = format!("listings/demo/src/bin/{listing}");
    let [whole, start] = ["whole report", "report"].map(|it| case.get(it).replace("FILE", &file));
    match (whole.trim_end(), &*start) {
        ("", "") => assert_eq!(checked, Ok(())),
        ("", start) => assert_says(&checked.expect_err(listing), start),
        (whole, _) => assert_eq!(checked, Err(whole.to_owned())),
    }
    let transcript = case.get("transcript");
    if !transcript.is_empty() {
        assert_eq!(ran.map(|ran| ran.transcript).as_deref(), Ok(transcript));
    }
}

fn a_listing_that_does_not_compile_is_reported_and_the_others_run() {
    let Built { programs, errors } = &ZOO.built;
    assert!(!programs.contains_key(&name("does_not_compile")));
    let listings = ZOO.project.listings().expect("listings can be listed");
    assert_eq!(programs.len() + 1, listings.len());
    assert_says(
        errors,
        "error[E0308]: mismatched types\nlistings/demo/src/bin/does_not_compile.rs:4:",
    );
}

// --- Blessing --------------------------------------------------------------------------------------

/// Books, and what blessing changes or why it refuses.
static BLESSED: LazyLock<Vec<Case>> =
    LazyLock::new(|| cases(include_str!("misbehaving/blessed.txt")));

/// What blessing did: each file that changed with its difference, and how it ended.
fn bless(book: &Scratch, names: &str) -> (Vec<String>, Result<(), String>) {
    let project = open(book);
    let names: Vec<_> = names.split_whitespace().map(name).collect();
    let mut changes = Vec::new();
    let outcome = runs::bless::bless(&project, &names, |change| {
        changes.push(format!("{}\n{}", change.file, change.diff));
    });
    let outcome = outcome.map_err(|error| format!("{error:#}"));
    (changes, outcome.map(|_without_timeline| ()))
}

fn refusal(book: &Scratch, names: &str) -> String {
    let (changes, outcome) = bless(book, names);
    assert_eq!(changes, [""; 0]);
    outcome.expect_err("blessing refuses")
}

fn is_blessed(case: &Case) {
    let book = case.book();
    let names = case.get("bless");
    let refused = case.get("refusal");
    if !refused.is_empty() {
        let before = book.files_without(&["target"]);
        assert_says(&refusal(&book, names), refused);
        assert_eq!(book.files_without(&["target"]), before);
        return;
    }
    let others = book.files_without(&["listings", "target"]);
    let (changes, outcome) = bless(&book, names);
    assert_eq!(outcome, Ok(()));
    let expected = case.get("changes");
    let is_file = |line: &&str| line.starts_with("listings/");
    assert_eq!(changes.len(), expected.lines().filter(is_file).count());
    assert_says(&changes.concat(), expected);
    assert_eq!(book.files_without(&["listings", "target"]), others);
    // It wrote everything, and writes nothing twice.
    assert_eq!(bless(&book, names), (Vec::new(), Ok(())));
}

fn blessing_does_not_write_through_a_linked_file() {
    let (book, elsewhere) = (Scratch::sound(), Scratch::sound());
    elsewhere.write("secret", "keep\n");
    book.remove("listings/demo/src/bin/hello.out");
    link(
        &elsewhere.path("secret"),
        &book.path("listings/demo/src/bin/hello.out"),
    );
    let report = refusal(&book, "hello");
    assert!(
        report.starts_with("listings/demo/src/bin/hello.out: "),
        "{report}"
    );
    assert_has(
        &report,
        "is a symbolic link, and nothing is written through one",
    );
    assert_eq!(elsewhere.read("secret"), "keep\n");
    // Nor does it make the file that a link names.
    elsewhere.remove("secret");
    refusal(&book, "hello");
    assert!(!elsewhere.path("secret").exists());
}

fn blessing_does_not_write_through_a_linked_folder() {
    let (book, elsewhere) = (Scratch::sound(), Scratch::sound());
    fs::remove_dir_all(book.path("listings/demo/src")).expect("the folder goes");
    elsewhere.write("listings/demo/src/bin/hello.out", "keep\n");
    link(
        &elsewhere.path("listings/demo/src"),
        &book.path("listings/demo/src"),
    );
    let report = refusal(&book, "hello");
    assert_has(&report, "is a symbolic link out of the book's folder");
    assert_eq!(elsewhere.read("listings/demo/src/bin/hello.out"), "keep\n");
}

// --- What must not compile -------------------------------------------------------------------------

/// What the compiler says about a program that it refuses, and what is said about one that it accepts.
fn messages(bad: &str, fine: &str) -> [String; 2] {
    let book = Scratch::sound();
    book.write("listings/demo/compile_fail/bad.rs", bad);
    book.write("listings/demo/compile_fail/fine.rs", fine);
    let said = compile_fail::messages(&open(&book), &[name("bad"), name("fine")]);
    let mut said = said.expect("it can be asked");
    let message = said.remove(&name("bad")).expect("it was asked");
    let message = message.expect("it does not compile");
    assert!(
        !message.contains(&*book.root().to_string_lossy()),
        "{message}"
    );
    let is_written = book.path("listings/demo/compile_fail/bad.stderr").exists();
    assert!(!is_written, "only blessing writes");
    let report = said.remove(&name("fine")).expect("it was asked");
    [message, report.expect_err("it compiles")]
}

const COMPILES: &str = "listings/demo/compile_fail/fine.rs:1: this program compiles, but it is here because it must not";

fn what_must_not_compile_has_the_compilers_message() {
    let bad = "//! Bad.\n\nfn main() {\n    let n: u32 = \"one\";\n}\n";
    let [message, report] = messages(bad, "//! Fine.\n\nfn main() {}\n");
    let expected = "error[E0308]: mismatched types\n --> listings/demo/compile_fail/bad.rs:4:18";
    assert_says(&message, expected);
    assert_says(&report, COMPILES);
}

fn what_clippy_refuses_has_its_message() {
    let bad = "//! Bad.\n#![deny(clippy::disallowed_methods)]\n\
               // clippy.toml: disallowed-methods = [\"std::mem::forget\"]\n\n\
               fn main() {\n    std::mem::forget(1);\n}\n";
    let fine = bad.replace("std::mem::forget(1)", "drop(1)");
    let [message, report] = messages(bad, &fine);
    assert_says(
        &message,
        "error: use of a disallowed method `std::mem::forget`\n --> listings/demo/compile_fail/bad.rs:6:5",
    );
    assert_says(&report, COMPILES);
}

fn a_program_is_compiled_with_its_own_manifest() {
    let bad =
        "//! Bad.\n// Cargo.toml: edition = \"2015\"\n\nfn main() {}\n\nasync fn order() {}\n";
    let [message, report] = messages(bad, &bad.replace("2015", "2018"));
    let expected = "error[E0670]: `async fn` is not permitted in Rust 2015\n --> listings/demo/compile_fail/bad.rs:6:1";
    assert_says(&message, expected);
    assert_says(&report, COMPILES);
}

fn a_manifest_that_asks_for_what_is_not_locked_is_reported() {
    let book = Scratch::sound();
    book.write("elsewhere/src/lib.rs", "");
    let manifest = "[package]\nname = \"elsewhere\"\nversion = \"1.0.0\"\n\n[workspace]\n";
    book.write("elsewhere/Cargo.toml", manifest);
    let root = book.root().to_string_lossy().replace('\\', "/");
    let asking = |line: &str| format!("//! Bad.\n// Cargo.toml: {line}\n\nfn main() {{}}\n");
    let path = format!("elsewhere = {{ path = \"{root}/elsewhere\" }}");
    book.write("listings/demo/compile_fail/strange.rs", asking(&path));
    book.write("listings/demo/compile_fail/broken.rs", asking("tokio"));
    let said = compile_fail::messages(&open(&book), &[name("strange"), name("broken")]);
    let said = said.expect("it can be asked");
    let report = |it: &str| said[&name(it)].clone().expect_err("it is reported");
    assert_has(
        &report("broken"),
        "listings/demo/compile_fail/broken.rs:2: this is no line of a Cargo.toml: ",
    );
    let expected =
        "strange.rs: its manifest needs elsewhere 1.0.0, which the book's Cargo.lock doesn't have";
    assert_has(&report("strange"), expected);
}

fn an_unstable_program_is_built_apart_and_its_output_compared() {
    for case in cases(include_str!("misbehaving/unstable.txt")) {
        let book = case.book();
        let project = open(&book);
        let built = unstable::build(&project, &[name("dump")]).expect("cargo starts");
        let checked = match built.programs.get(&name("dump")) {
            None => Err(built.errors),
            Some(program) => {
                let ran = runs::run::run(program, book.root(), Limits::default());
                unstable::check(&project, &name("dump"), &ran.expect("it starts"))
            }
        };
        match case.get("report") {
            "" => assert_eq!(checked, Ok(()), "{}", case.name),
            report => assert_says(&checked.expect_err(&case.name), report),
        }
        let refused = case.get("refusal");
        if !refused.is_empty() {
            assert_says(&refusal(&book, "dump"), refused);
        }
    }
}
