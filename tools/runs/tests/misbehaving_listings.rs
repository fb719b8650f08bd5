//! A listing that misbehaves is stopped and reported, with its file and what to do; blessing writes what
//! changed, below `listings/` and nowhere else; and the compiler is asked about what must not compile.
//!
//! These tests have a `main` of their own, which removes the book that they share.

use libtest_mimic::{Arguments, Trial};
use model::provenance::COMPILER;
use model::{ProgramId, Project};
use runs::build::Built;
use runs::compile_fail;
use runs::run::{Limits, Misbehaved, Ran};
use runs::unstable;
use scratch::{Scratch, link};
use std::env;
use std::fs;
use std::process::{Command, ExitCode};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    // The scratch books' packages share a name: each must build into its own folder, wherever this
    // one is built.
    if env::var_os("CARGO_TARGET_DIR").is_none_or(|folder| folder != "target") {
        let itself = env::current_exe().expect("this program is a file");
        let status = Command::new(itself)
            .args(env::args_os().skip(1))
            .env("CARGO_TARGET_DIR", "target")
            .status()
            .expect("this program starts once more");
        return ExitCode::from(u8::from(!status.success()));
    }
    macro_rules! trials {
        ($($test:ident,)*) => {
            [$(Trial::test(stringify!($test), || { $test(); Ok(()) })),*]
        };
    }
    let trials = trials![
        a_listing_that_prints_what_its_page_says_is_sound,
        a_listing_that_panics_is_reported_with_its_status_and_its_words,
        a_listing_that_ends_with_a_status_has_it_in_its_transcript,
        a_listing_that_prints_nothing_is_reported,
        a_panic_that_only_standard_error_shows_is_reported,
        a_listing_that_prints_without_end_is_stopped,
        a_listing_that_never_ends_is_stopped,
        a_listing_that_prints_bytes_is_reported_with_the_line,
        an_output_that_is_missing_is_reported_with_what_writes_it,
        an_output_that_differs_is_reported_with_its_line_and_the_pages,
        a_listing_that_does_not_compile_is_reported_and_the_others_run,
        windows_line_ends_in_an_output_make_no_difference,
        blessing_writes_what_changed_and_shows_it_and_nothing_twice,
        blessing_keeps_what_is_said_on_standard_error_and_no_empty_file,
        blessing_leaves_everything_outside_of_listings_alone,
        blessing_does_not_accept_a_listing_that_misbehaves,
        blessing_does_not_accept_a_listing_that_does_not_compile,
        blessing_replaces_an_output_that_is_no_text,
        what_must_not_compile_has_the_compilers_message,
        blessing_writes_the_compilers_message_and_name,
        what_clippy_refuses_has_its_message,
        an_unstable_program_is_built_apart_and_its_output_compared,
    ];
    let with_links = trials![
        blessing_does_not_write_through_a_linked_file,
        blessing_does_not_write_through_a_linked_folder,
    ];
    // Windows does not let everyone make symbolic links.
    let with_links = with_links.map(|trial| trial.with_ignored_flag(cfg!(windows)));
    let trials = trials.into_iter().chain(with_links).collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    drop(ZOO_BOOK.lock().map(|mut book| book.take()));
    conclusion.exit_code()
}

#[track_caller]
fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is missing in:\n{text}");
}

fn name(name: &str) -> ProgramId {
    ProgramId::parse(&format!("demo/{name}")).expect("a name")
}

fn open(book: &Scratch) -> Project {
    Project::open(book.root()).expect("a book")
}

// --- Running ---------------------------------------------------------------------------------------

/// A book of listings that misbehave, built once.
struct Zoo {
    project: Project,
    built: Built,
}

/// Its folder, which goes away at the end.
static ZOO_BOOK: Mutex<Option<Scratch>> = Mutex::new(None);

static ZOO: LazyLock<Zoo> = LazyLock::new(|| {
    let book = Scratch::sound();
    let listings = [
        (
            "panics",
            "println!(\"before\"); panic!(\"the printer burns\");",
        ),
        ("panics_first", "panic!(\"the printer burns\");"),
        ("exits", "println!(\"before\"); std::process::exit(3);"),
        (
            "exits_in_a_line",
            "print!(\"before\"); std::process::exit(3);",
        ),
        ("silent", ""),
        ("silent_exit", "std::process::exit(3);"),
        ("complains", "eprintln!(\"no paper\");"),
        (
            "panics_aside",
            "let _ = std::thread::spawn(|| assert_eq!(1, 2)).join(); println!(\"done\");",
        ),
        ("prints_on", "loop { println!(\"again\"); }"),
        (
            "prints_on_regardless",
            "use std::io::Write; let mut out = std::io::stdout(); loop { let _ = out.write_all(&[b'x'; 4096]); }",
        ),
        (
            "complains_on_regardless",
            "use std::io::Write; println!(\"a\"); let mut err = std::io::stderr(); loop { let _ = err.write_all(&[b'x'; 4096]); }",
        ),
        (
            "never_ends",
            "println!(\"a\"); loop { std::thread::sleep(std::time::Duration::from_secs(1)); }",
        ),
        (
            "bytes",
            "use std::io::Write; std::io::stdout().write_all(b\"ok\\n\\xff\\n\").unwrap();",
        ),
        ("windows", "print!(\"a\\r\\nb\\r\\n\");"),
        ("no_output", "println!(\"printed\");"),
        (
            "other",
            "for n in 1..=9 { println!(\"line {n}\"); } eprintln!(\"a hint\");",
        ),
        ("no_last_line_end", "println!(\"a\");"),
        (
            "does_not_compile",
            "let number: u32 = \"one\"; println!(\"{number}\");",
        ),
    ];
    for (name, main) in listings {
        book.listing(name, main, "before\n");
    }
    book.remove("listings/demo/src/bin/no_output.out");
    book.write("listings/demo/src/bin/panics_aside.out", "done\n");
    book.write(
        "listings/demo/src/bin/other.out",
        "line 1\nline 2\nline 3\nline 4\nline five\nline 6\nline 7\nline 8\nline 9\n",
    );
    book.write("listings/demo/src/bin/no_last_line_end.out", "a");
    book.write("listings/demo/src/bin/windows.out", "a\r\nb\r\n");
    book.write(
        "src/other.md",
        "# Other\n\n{{#listing demo/other}}\n{{#output demo/other}}\n",
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

/// What a test says about a listing.
fn check(listing: &str, limits: Limits) -> Result<(), String> {
    runs::compare::check(&ZOO.project, &name(listing), &run(listing, limits))
}

fn failure(listing: &str) -> String {
    check(listing, PATIENT).expect_err("it misbehaves")
}

fn a_listing_that_prints_what_its_page_says_is_sound() {
    assert_eq!(check("hello", PATIENT), Ok(()));
    assert_eq!(
        run("hello", PATIENT).map(|ran| ran.transcript),
        Ok("hello\n".to_owned())
    );
}

fn a_listing_that_panics_is_reported_with_its_status_and_its_words() {
    let report = failure("panics");
    assert!(
        report.starts_with(
            "listings/demo/src/bin/panics.out:2: listings/demo/src/bin/panics.rs prints something else"
        ),
        "{report}"
    );
    assert_has(&report, " before\n+[exit status: 101]\n");
    assert_has(&report, "the printer burns");
    assert_has(&report, "listings/demo/src/bin/panics.rs:4:");
    let report = failure("panics_first");
    assert_has(
        &report,
        "listings/demo/src/bin/panics_first.rs: the listing printed nothing and ended with exit status: 101; \
         on standard error it said:\n",
    );
    assert_has(&report, "the printer burns");
}

fn a_listing_that_ends_with_a_status_has_it_in_its_transcript() {
    for listing in ["exits", "exits_in_a_line"] {
        let transcript = run(listing, PATIENT).map(|ran| ran.transcript);
        assert_eq!(
            transcript,
            Ok("before\n[exit status: 3]\n".to_owned()),
            "{listing}"
        );
        assert_has(&failure(listing), "+[exit status: 3]\n");
    }
}

fn a_listing_that_prints_nothing_is_reported() {
    assert_eq!(
        failure("silent"),
        "listings/demo/src/bin/silent.rs: the listing printed nothing; let it print what it shows"
    );
    assert_eq!(
        failure("silent_exit"),
        "listings/demo/src/bin/silent_exit.rs: the listing printed nothing and ended with exit status: 3"
    );
    assert_has(
        &failure("complains"),
        "on standard error it said:\nno paper\n",
    );
}

fn a_panic_that_only_standard_error_shows_is_reported() {
    let report = failure("panics_aside");
    let start = "listings/demo/src/bin/panics_aside.rs: it says something else on standard error than \
                 listings/demo/src/bin/panics_aside.err, which is not there, would";
    assert!(report.starts_with(start), "{report}");
    assert_has(
        &report,
        "+thread '<unnamed>' panicked at listings/demo/src/bin/panics_aside.rs:4:",
    );
    assert_has(&report, "`cargo book bless demo/panics_aside` accepts it");
}

fn a_listing_that_prints_without_end_is_stopped() {
    for listing in [
        "prints_on",
        "prints_on_regardless",
        "complains_on_regardless",
    ] {
        let started = Instant::now();
        assert_eq!(
            failure(listing),
            format!(
                "listings/demo/src/bin/{listing}.rs: the listing printed more than 65536 bytes and was \
                 stopped; a page can show a few lines"
            )
        );
        assert!(
            started.elapsed() < PATIENT.time,
            "{listing} was not stopped by what it printed"
        );
    }
}

fn a_listing_that_never_ends_is_stopped() {
    let limits = Limits {
        time: Duration::from_millis(500),
        ..PATIENT
    };
    let report = check("never_ends", limits).expect_err("it never ends");
    assert_eq!(
        report,
        "listings/demo/src/bin/never_ends.rs: the listing did not end within 0.5 s and was stopped; \
         let it wait in virtual time (`start_paused = true`), and end"
    );
}

fn a_listing_that_prints_bytes_is_reported_with_the_line() {
    assert_eq!(
        failure("bytes"),
        "listings/demo/src/bin/bytes.rs: the listing printed bytes that are not UTF-8, in line 2 of \
         its output; let it print text"
    );
}

fn an_output_that_is_missing_is_reported_with_what_writes_it() {
    assert_eq!(
        failure("no_output"),
        "listings/demo/src/bin/no_output.out is missing; listings/demo/src/bin/no_output.rs printed:\n\n\
         printed\n\nIf the new output is right, `cargo book bless demo/no_output` writes it."
    );
}

fn an_output_that_differs_is_reported_with_its_line_and_the_pages() {
    let report = failure("other");
    assert!(
        report.starts_with(
            "listings/demo/src/bin/other.out:5: listings/demo/src/bin/other.rs prints something else than \
             this file says (shown at src/other.md:3, src/other.md:4)\n"
        ),
        "{report}"
    );
    assert_has(&report, " line 4\n-line five\n+line 5\n line 6\n");
    assert_has(&report, "`cargo book bless demo/other` writes it.");
    assert_has(&report, "On standard error it said:\na hint\n");
    assert!(
        failure("no_last_line_end").starts_with("listings/demo/src/bin/no_last_line_end.out:1: "),
        "a missing line end is a difference in its line"
    );
}

fn a_listing_that_does_not_compile_is_reported_and_the_others_run() {
    let Built { programs, errors } = &ZOO.built;
    assert!(!programs.contains_key(&name("does_not_compile")));
    assert_eq!(
        programs.len() + 1,
        ZOO.project
            .listings()
            .expect("listings can be listed")
            .len()
    );
    assert_has(errors, "error[E0308]: mismatched types");
    let place = errors.replace('\\', "/");
    assert_has(&place, "listings/demo/src/bin/does_not_compile.rs:4:");
}

fn windows_line_ends_in_an_output_make_no_difference() {
    assert_eq!(
        run("windows", PATIENT).map(|ran| ran.transcript),
        Ok("a\nb\n".to_owned())
    );
    assert_eq!(check("windows", PATIENT), Ok(()));
}

// --- Blessing --------------------------------------------------------------------------------------

/// What blessing did: each file that changed with its difference, and how it ended.
fn bless(book: &Scratch, names: &[&str]) -> (Vec<(String, String)>, Result<(), String>) {
    let project = open(book);
    let names: Vec<_> = names.iter().map(|listing| name(listing)).collect();
    let mut changes = Vec::new();
    let outcome = runs::bless::bless(&project, &names, |change| {
        changes.push((change.file, change.diff))
    });
    let outcome = outcome.map_err(|error| format!("{error:#}"));
    (changes, outcome.map(|_without_timeline| ()))
}

fn refusal(book: &Scratch, names: &[&str]) -> String {
    let (changes, outcome) = bless(book, names);
    assert_eq!(changes, []);
    outcome.expect_err("blessing refuses")
}

fn blessing_writes_what_changed_and_shows_it_and_nothing_twice() {
    let book = Scratch::sound();
    book.listing("changed", "println!(\"a\\nnew\\nc\");", "a\nold\nc\n");
    book.listing("fresh", "println!(\"first\");", "");
    book.remove("listings/demo/src/bin/fresh.out");
    let all = ["changed", "fresh", "hello"];
    let (changes, outcome) = bless(&book, &all);
    assert_eq!(outcome, Ok(()));
    let files: Vec<_> = changes.iter().map(|(file, _)| file.as_str()).collect();
    assert_eq!(
        files,
        [
            "listings/demo/src/bin/changed.out",
            "listings/demo/src/bin/fresh.out"
        ]
    );
    assert_has(&changes[0].1, " a\n-old\n+new\n c\n");
    assert_has(&changes[1].1, "+first\n");
    assert_eq!(
        book.read("listings/demo/src/bin/changed.out"),
        "a\nnew\nc\n"
    );
    assert_eq!(book.read("listings/demo/src/bin/fresh.out"), "first\n");
    assert_eq!(bless(&book, &all), (Vec::new(), Ok(())));
}

fn blessing_keeps_what_is_said_on_standard_error_and_no_empty_file() {
    let book = Scratch::sound();
    let file = "listings/demo/src/bin/warns.err";
    book.listing("warns", "eprintln!(\"no paper\"); println!(\"a\");", "a\n");
    let (changes, outcome) = bless(&book, &["warns"]);
    assert_eq!(outcome, Ok(()));
    assert_eq!(changes[0].0, file);
    assert_eq!(book.read(file), "no paper\n");
    book.listing("warns", "println!(\"a\");", "a\n");
    let (changes, outcome) = bless(&book, &["warns"]);
    assert_eq!(outcome, Ok(()));
    assert_eq!(changes[0].1, "removed, for it says nothing any more\n");
    assert!(!book.path(file).exists());
}

fn blessing_leaves_everything_outside_of_listings_alone() {
    let book = Scratch::sound();
    book.write("listings/demo/src/bin/hello.out", "old\n");
    book.write(
        "listings/demo/compile_fail/bad.rs",
        "//! Bad.\n\nfn main() {\n    1\n}\n",
    );
    let rest = || book.files_without(&["listings", "target"]);
    let before = rest();
    let (changes, outcome) = bless(&book, &["hello", "bad"]);
    assert_eq!(outcome, Ok(()));
    assert_eq!(changes.len(), 3);
    assert_eq!(rest(), before);
    assert!(
        changes
            .iter()
            .all(|(file, _)| file.starts_with("listings/")),
        "{changes:?}"
    );
}

fn blessing_does_not_accept_a_listing_that_misbehaves() {
    let book = Scratch::sound();
    book.listing("silent", "", "it said this\n");
    assert_eq!(
        refusal(&book, &["silent"]),
        "listings/demo/src/bin/silent.rs: the listing printed nothing; let it print what it shows"
    );
    assert_eq!(
        book.read("listings/demo/src/bin/silent.out"),
        "it said this\n"
    );
}

fn blessing_does_not_accept_a_listing_that_does_not_compile() {
    let book = Scratch::sound();
    book.listing("broken", "let number: u32 = \"one\";", "it said this\n");
    book.write("listings/demo/src/bin/hello.out", "old\n");
    let report = refusal(&book, &["broken", "hello"]);
    assert_has(&report, "a listing does not compile:\n");
    assert_has(
        &report.replace('\\', "/"),
        "listings/demo/src/bin/broken.rs:4:",
    );
    assert_eq!(book.read("listings/demo/src/bin/hello.out"), "old\n");
}

fn blessing_replaces_an_output_that_is_no_text() {
    let book = Scratch::sound();
    book.write("listings/demo/src/bin/hello.out", b"\xff\xfe\n");
    let (changes, outcome) = bless(&book, &["hello"]);
    assert_eq!((changes.len(), outcome), (1, Ok(())));
    assert_eq!(book.read("listings/demo/src/bin/hello.out"), "hello\n");
}

fn blessing_does_not_write_through_a_linked_file() {
    let (book, elsewhere) = (Scratch::sound(), Scratch::sound());
    elsewhere.write("secret", "keep\n");
    book.remove("listings/demo/src/bin/hello.out");
    link(
        &elsewhere.path("secret"),
        &book.path("listings/demo/src/bin/hello.out"),
    );
    let report = refusal(&book, &["hello"]);
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
    refusal(&book, &["hello"]);
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
    let report = refusal(&book, &["hello"]);
    assert_has(&report, "is a symbolic link out of the book's folder");
    assert_eq!(elsewhere.read("listings/demo/src/bin/hello.out"), "keep\n");
}

// --- What must not compile -------------------------------------------------------------------------

fn what_must_not_compile_has_the_compilers_message() {
    let book = Scratch::sound();
    book.write(
        "listings/demo/compile_fail/bad.rs",
        "//! Bad.\n\nfn main() {\n    let n: u32 = \"one\";\n}\n",
    );
    book.write(
        "listings/demo/compile_fail/fine.rs",
        "//! Fine.\n\nfn main() {}\n",
    );
    let said = compile_fail::messages(&open(&book), &[name("bad"), name("fine")])
        .expect("it can be asked");
    let message = said[&name("bad")].as_ref().expect("it does not compile");
    assert_has(
        message,
        "error[E0308]: mismatched types\n --> listings/demo/compile_fail/bad.rs:4:18\n",
    );
    assert!(
        !message.contains(&*book.root().to_string_lossy()),
        "{message}"
    );
    let report = said[&name("fine")].as_ref().expect_err("it compiles");
    assert!(
        report.starts_with("listings/demo/compile_fail/fine.rs:1: this program compiles, but it is here because it must not"),
        "{report}"
    );
    assert!(
        !book.path("listings/demo/compile_fail/bad.stderr").exists(),
        "only blessing writes"
    );

    // The message is compared to the letter, or by its codes where another compiler wrote it.
    assert_eq!(compile_fail::compare(message, message, true), Ok(()));
    let reworded = message.replace("mismatched", "unlike");
    assert_has(
        &compile_fail::compare(&reworded, message, true).expect_err("they differ"),
        "-error[E0308]: unlike types\n+error[E0308]: mismatched types\n",
    );
    assert_eq!(compile_fail::compare(&reworded, message, false), Ok(()));
    let other = message.replace("E0308", "E0999");
    assert_has(
        &compile_fail::compare(&other, message, false).expect_err("the codes differ"),
        "on this compiler the errors are others (E0308) than in the book (E0999)",
    );
}

fn what_clippy_refuses_has_its_message() {
    let book = Scratch::sound();
    let program = "//! Bad.\n#![deny(clippy::disallowed_methods)]\n\
                   // clippy.toml: disallowed-methods = [\"std::mem::forget\"]\n\n\
                   fn main() {\n    std::mem::forget(1);\n}\n";
    book.write("listings/demo/compile_fail/bad.rs", program);
    let plain = program.replace("std::mem::forget(1)", "drop(1)");
    book.write("listings/demo/compile_fail/fine.rs", plain);
    let said = compile_fail::messages(&open(&book), &[name("bad"), name("fine")])
        .expect("it can be asked");
    assert_has(
        said[&name("bad")].as_ref().expect("Clippy refuses it"),
        "use of a disallowed method `std::mem::forget`\n --> listings/demo/compile_fail/bad.rs:6:5\n",
    );
    assert_has(
        said[&name("fine")].as_ref().expect_err("Clippy accepts it"),
        "listings/demo/compile_fail/fine.rs:1: this program compiles",
    );
}

fn an_unstable_program_is_built_apart_and_its_output_compared() {
    let book = Scratch::sound();
    let manifest = "[package]\nname = \"unstable\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
                    [features]\nprograms = []\n\n\
                    [[bin]]\nname = \"dump\"\npath = \"dump.rs\"\nrequired-features = [\"programs\"]\n";
    book.write("listings/demo/unstable/Cargo.toml", manifest);
    let workspace = book.read("Cargo.toml");
    let members = "members = [\"listings/*\"";
    let more = workspace.replace(members, &format!("{members}, \"listings/demo/unstable\""));
    book.write("Cargo.toml", more);
    let program = "//! A dump.\n\nfn main() {\n    let is_on = cfg!(tokio_unstable);\n    println!(\"{is_on}\");\n}\n";
    let file = "listings/demo/unstable/dump.rs";
    book.write(file, program);
    let (changes, outcome) = bless(&book, &["dump"]);
    assert_eq!(outcome, Ok(()));
    assert_eq!(changes.len(), 1, "{changes:?}");
    let output = "listings/demo/unstable/dump.out";
    assert_eq!(book.read(output), "true\n");

    let check = || {
        let project = open(&book);
        let built = unstable::build(&project, &[name("dump")]).expect("cargo starts");
        let Some(program) = built.programs.get(&name("dump")) else {
            return Err(built.errors);
        };
        let ran = runs::run::run(program, book.root(), Limits::default());
        unstable::check(&project, &name("dump"), &ran.expect("it starts"))
    };
    assert_eq!(check(), Ok(()));
    book.write(output, "false\n");
    let report = check().expect_err("it prints something else");
    assert_has(
        &report,
        "listings/demo/unstable/dump.out:1: listings/demo/unstable/dump.rs prints something else than this file says",
    );
    book.write(output, "true\n");
    let noisy = program.replace("    println!", "    eprintln!(\"hm\");\n    println!");
    book.write(file, &noisy);
    assert_has(
        &check().expect_err("it complains"),
        "it complains on standard error",
    );
    assert_has(
        &refusal(&book, &["dump"]),
        "listings/demo/unstable/dump.rs: it complains on standard error",
    );
    book.write(file, program.replace("cfg!(tokio_unstable)", "1 +"));
    assert_has(&check().expect_err("it is no program"), "error: ");
}

fn blessing_writes_the_compilers_message_and_name() {
    let book = Scratch::sound();
    book.write(
        "listings/demo/compile_fail/bad.rs",
        "//! Bad.\n\nfn main() {\n    1\n}\n",
    );
    let (changes, outcome) = bless(&book, &["bad"]);
    assert_eq!(outcome, Ok(()));
    let files: Vec<_> = changes.iter().map(|(file, _)| file.as_str()).collect();
    assert_eq!(files, ["listings/demo/compile_fail/bad.stderr", COMPILER]);
    assert_has(
        &book.read("listings/demo/compile_fail/bad.stderr"),
        "error[E0308]",
    );
    assert!(book.read(COMPILER).starts_with("rustc "));
    assert_eq!(bless(&book, &["bad"]), (Vec::new(), Ok(())));

    // A program that has come to compile keeps the message that it had.
    book.write(
        "listings/demo/compile_fail/bad.rs",
        "//! Bad.\n\nfn main() {}\n",
    );
    assert_has(
        &refusal(&book, &["bad"]),
        "listings/demo/compile_fail/bad.rs:1: this program compiles",
    );
    assert_has(
        &book.read("listings/demo/compile_fail/bad.stderr"),
        "error[E0308]",
    );
}
