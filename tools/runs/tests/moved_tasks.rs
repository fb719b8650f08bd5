//! A change that moves a listing's tasks is found, even if the listing prints what it printed before; every kind
//! of wait and outcome is recorded as it is; and a listing without a timeline gets the reason.
//!
//! All programs are built together, with a runtime, into a folder that is kept from run to run.

use libtest_mimic::{Arguments, Trial};
use model::{ProgramId, Project};
use runs::timelines::{Copies, build, check};
use scratch::{Case, Scratch, assert_has, cases, trials, with_target};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::LazyLock;
use timeline::format::{Printed, Span, Task, WokenBy};
use timeline::{Refused, Timeline};

fn main() -> ExitCode {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moved-tasks");
    with_target(&target, || {
        let mut trials = Vec::new();
        let mut trial = |group: &str, case: &'static Case, test: fn(&Case)| {
            let name = format!("{group}::{}", case.name);
            trials.push(Trial::test(name, move || {
                test(case);
                Ok(())
            }));
        };
        for case in &*CHANGES {
            trial("a_change_is_found", case, is_found);
        }
        for case in &*CASES {
            match case.get("refused") {
                "" => trial("it_is_recorded", case, is_recorded),
                _ => trial("the_reason_is_given", case, is_refused),
            }
        }
        trials.extend(trials![
            tasks_that_move_as_before_are_sound,
            the_same_run_has_the_same_bytes,
            blessing_records_and_removes,
        ]);
        libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
    })
}

// --- The programs ----------------------------------------------------------------------------------

const PACK: &str = include_str!("timelines/pack.rs");

/// Copies of `PACK` with one change, the line that the message must name, and what it must say.
static CHANGES: LazyLock<Vec<Case>> =
    LazyLock::new(|| cases(include_str!("timelines/changes.txt")));

/// Programs that are recorded, and programs that have no timeline.
static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| cases(include_str!("timelines/programs.txt")));

/// Other copies of `PACK`: their timelines are as recorded, missing, or edited.
const SAME: [&str; 3] = ["same", "missing", "edited"];

struct Programs {
    book: Scratch,
    project: Project,
    copies: Copies,
}

static PROGRAMS: LazyLock<Programs> = LazyLock::new(|| {
    let book = with_tokio();
    let mut names = Vec::new();
    let mut add = |called: &str, text: &str, printed: &str| {
        program(&book, called, text, printed);
        names.push(name(called));
    };
    for case in &*CHANGES {
        let [from, to] = ["replace", "with"].map(|it| case.get(it).trim_end());
        assert!(PACK.contains(from), "{}", case.name);
        add(&case.name, &PACK.replacen(from, to, 1), "packed 3\n");
    }
    for called in SAME {
        add(called, PACK, "packed 3\n");
    }
    for case in &*CASES {
        let unended = case.get("printed, without its last line end").trim_end();
        let printed = match case.get("printed") {
            "" if unended.is_empty() => "no\n",
            "" => unended,
            printed => printed,
        };
        add(&case.name, case.get("program"), printed);
    }
    let project = Project::open(book.root()).expect("a book");
    let copies = build(&project, &names).expect("cargo builds");
    assert_eq!(copies.built.errors, "");
    let programs = Programs {
        book,
        project,
        copies,
    };
    let expected = programs.timeline("same").to_json().expect("a timeline");
    let write = |called: &str, json: &str| programs.book.write(&name(called).timeline(), json);
    for called in CHANGES.iter().map(|case| &*case.name) {
        write(called, &expected);
    }
    write("same", &expected);
    write("edited", &expected.replace("\"ends\": ", "\"ends\":  "));
    write("not_paused", &expected);
    programs
});

fn with_tokio() -> Scratch {
    let book = Scratch::sound();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let lock = fs::read_to_string(root.join("Cargo.lock")).expect("a lock file");
    book.write("Cargo.lock", lock);
    book.write(
        "listings/demo/Cargo.toml",
        book.read("listings/demo/Cargo.toml")
            + "tokio = { version = \"1\", features = [\"macros\", \"net\", \"rt-multi-thread\", \"sync\", \"test-util\", \"time\"] }\n",
    );
    book
}

fn program(book: &Scratch, called: &str, text: &str, printed: &str) {
    let name = name(called);
    book.write(&name.source(), text);
    book.write(&name.output(), printed);
    let page = book.read("src/page.md");
    book.write("src/page.md", format!("{page}\n{{{{#listing {name}}}}}\n"));
}

fn name(name: &str) -> ProgramId {
    ProgramId::parse(&format!("demo/{name}")).expect("a name")
}

impl Programs {
    fn record(&self, called: &str) -> Result<Timeline, Refused> {
        let name = name(called);
        let printed = self.project.read(&name.output()).expect("an output");
        self.copies
            .record(&self.project, &name, &printed)
            .unwrap_or_else(|error| panic!("{called}: {error:#}"))
    }

    fn timeline(&self, called: &str) -> Timeline {
        self.record(called)
            .unwrap_or_else(|why| panic!("{called}: {why}"))
    }

    fn check(&self, called: &str) -> Result<(), String> {
        check(&self.project, &name(called), &self.record(called))
    }

    /// The message has these parts, and names the page and the command that writes or removes the timeline.
    fn assert_fails<'a>(&self, called: &str, parts: impl IntoIterator<Item = &'a str>) {
        let message = self.check(called).expect_err(called);
        parts
            .into_iter()
            .for_each(|part| assert_has(&message, part));
        assert_has(&message, "(shown at src/page.md:");
        assert_has(&message, &format!("`cargo book bless demo/{called}`"));
    }
}

// --- What differs ----------------------------------------------------------------------------------

fn tasks_that_move_as_before_are_sound() {
    assert_eq!(PROGRAMS.check("same"), Ok(()));
    let file = |called| format!("listings/demo/src/bin/{called}.timeline.json");
    PROGRAMS.assert_fails("missing", ["missing.rs: ", &file("missing"), "missing"]);
    PROGRAMS.assert_fails("edited", [&*file("edited")]);
    PROGRAMS.assert_fails(
        "not_paused",
        [&file("not_paused"), "its clock is not paused"],
    );
}

/// The listing still prints the same, but the change is found, with its line.
fn is_found(case: &Case) {
    let called = &*case.name;
    let text = PROGRAMS.book.read(&name(called).source());
    let words = case.get("line").trim_end();
    let line = text.lines().position(|line| line.contains(words)).unwrap() + 1;
    let message = PROGRAMS.check(called).expect_err(called);
    let place = format!("listings/demo/src/bin/{called}.rs:{line}: ");
    assert!(message.starts_with(&place), "not at {place}:\n{message}");
    // Lines that moved alone are no difference.
    assert_eq!(message.contains("\n- "), called != "lines_moved");
    PROGRAMS.assert_fails(called, case.get("message").lines());
}

fn the_same_run_has_the_same_bytes() {
    let json = |called| PROGRAMS.timeline(called).to_json().expect("a timeline");
    for called in ["same", "waits", "endings"] {
        let first = json(called);
        for _ in 0..10 {
            assert_eq!(json(called), first);
        }
        let parsed = Timeline::parse(&first).expect("what was written can be read");
        assert_eq!(parsed.to_json().expect("a timeline"), first);
    }
}

// --- What is recorded ------------------------------------------------------------------------------

type Describe = fn(&Timeline) -> Vec<String>;

fn is_recorded(case: &Case) {
    let timeline = PROGRAMS.timeline(&case.name);
    let descriptions: [(&str, Describe); 4] = [
        ("waits", waits),
        ("transfers", transfers),
        ("outcomes", outcomes),
        ("lines", printed),
    ];
    let asked = |it: &(&str, Describe)| !case.get(it.0).is_empty();
    let (section, describe) = descriptions.into_iter().find(asked).expect("a description");
    let lines = describe(&timeline).join("\n");
    assert_eq!(format!("{lines}\n"), case.get(section));
}

/// What each task waits for: the kind, the call, and the line.
fn waits(timeline: &Timeline) -> Vec<String> {
    let task = |task: &Task| {
        let on = task.spans.iter().filter_map(|span| match span {
            Span::Wait { on, .. } => Some(on),
            Span::Run { .. } => None,
        });
        let on = on
            .flatten()
            .map(|on| format!(" {:?} {}:{}", on.kind, on.call, on.line.unwrap_or(0)));
        format!("{}:{}", task.name, on.collect::<Vec<_>>().join(","))
    };
    timeline.tasks.iter().map(task).collect()
}

fn transfers(timeline: &Timeline) -> Vec<String> {
    let name = |task: usize| &*timeline.tasks[task].name;
    let transfer = timeline.transfers.iter().map(|it| {
        let resource = &timeline.resources[it.resource];
        let from = it
            .from
            .map_or(String::new(), |from| format!(" from {}", name(from)));
        let task = it.task.map_or("nobody", name);
        format!(
            "{} {task} {:?} {:?}:{:?}{from}",
            it.at, it.kind, resource.kind, resource.line
        )
    });
    let wakes = timeline.wakes.iter().map(|it| match it.by {
        WokenBy::Task(by) => format!("{} {} wakes {}", it.at, name(by), name(it.task)),
        by => format!("{} {by:?} wakes {}", it.at, name(it.task)),
    });
    transfer.chain(wakes).collect()
}

fn outcomes(timeline: &Timeline) -> Vec<String> {
    let task = |it: &Task| {
        let spans = it.spans.len();
        format!(
            "{}: {:?} at {}, {spans} spans",
            it.name, it.outcome, it.ends
        )
    };
    timeline.tasks.iter().map(task).collect()
}

fn printed(timeline: &Timeline) -> Vec<String> {
    let line = |it: &Printed| {
        format!(
            "{} task {:?}, line {}: {:?}",
            it.at, it.task, it.line, it.text
        )
    };
    let lines = timeline.printed.iter().map(line);
    let end = format!("{} the end", timeline.ends);
    lines.chain([end]).collect()
}

fn is_refused(case: &Case) {
    let called = &*case.name;
    let why = PROGRAMS.record(called).expect_err("it has no timeline");
    assert_eq!(format!("{why:?}\n"), case.get("refused"));
    if called != "not_paused" {
        assert_eq!(PROGRAMS.check(called), Ok(()), "{called} needs no file");
    }
}

// --- Blessing --------------------------------------------------------------------------------------

fn blessing_records_and_removes() {
    // The copies of this book use the same folder as those of the others.
    LazyLock::force(&PROGRAMS);
    let book = with_tokio();
    let not_paused = CASES.iter().find(|case| case.name == "not_paused");
    program(&book, "same", PACK, "");
    program(
        &book,
        "not_paused",
        not_paused.expect("a case").get("program"),
        "",
    );
    book.write(&name("not_paused").timeline(), "{}\n");
    let project = Project::open(book.root()).expect("a book");
    let mut files = Vec::new();
    let names = [name("same"), name("not_paused"), name("hello")];
    runs::bless::bless(&project, &names, |change| files.push(change.file)).expect("it is blessed");
    let both = |name: ProgramId| [name.output(), name.timeline()];
    assert_eq!(
        files,
        [both(name("same")), both(name("not_paused"))].concat()
    );
    assert!(Timeline::parse(&book.read(&name("same").timeline())).is_ok());
    assert!(!project.has(&name("not_paused").timeline()));
    assert!(!project.has(&name("hello").timeline()));
}
