//! A change that moves a listing's tasks is found, even if the listing prints what it printed before; every kind
//! of wait and outcome is recorded as it is; and a listing without a timeline gets the reason.
//!
//! All programs are built together, with a runtime, into a folder that is kept from run to run.

use expect_test::{Expect, expect};
use libtest_mimic::{Arguments, Trial};
use model::{ProgramId, Project};
use runs::timelines::{Copies, build, check};
use scratch::Scratch;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::LazyLock;
use std::{env, fs};
use timeline::format::{Printed, Span, Task, WokenBy};
use timeline::{Refused, Timeline};

fn main() -> ExitCode {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moved-tasks");
    if env::var_os("CARGO_TARGET_DIR").is_none_or(|folder| folder != *target) {
        let itself = env::current_exe().expect("this program is a file");
        let status = Command::new(itself)
            .args(env::args_os().skip(1))
            .env("CARGO_TARGET_DIR", target)
            .status()
            .expect("this program starts once more");
        return ExitCode::from(u8::from(!status.success()));
    }
    let trial = |name: String, test: fn(&str), called: &'static str| {
        Trial::test(name, move || {
            test(called);
            Ok(())
        })
    };
    let mut trials = Vec::new();
    for (called, ..) in CHANGES {
        trials.push(trial(
            format!("a_change_is_found::{called}"),
            is_found,
            called,
        ));
    }
    for (called, _) in REFUSED {
        trials.push(trial(
            format!("the_reason_is_given::{called}"),
            is_refused,
            called,
        ));
    }
    macro_rules! tests {
        ($($test:ident,)*) => { $(trials.push(trial(stringify!($test).to_owned(), $test, ""));)* };
    }
    tests![
        tasks_that_move_as_before_are_sound,
        the_same_run_has_the_same_bytes,
        what_happens_is_recorded,
        blessing_records_and_removes,
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

// --- The programs ----------------------------------------------------------------------------------

const PACK: &str = include_str!("timelines/pack.rs");

/// A copy of `PACK` with one change: its name, what is replaced, and by what; words of the line that the message must
/// name, and what the message must say.
type Change = (
    &'static str,
    [&'static str; 2],
    &'static str,
    &'static [&'static str],
);

const CHANGES: &[Change] = &[
    (
        "another_order",
        ["[1, 2]", "[2, 1]"],
        "sleep(Duration::from_millis(order",
        &[
            r#"+ {"is":"wait","from":0,"to":200"#,
            "task `pack` #2 spawned at another_order.rs:",
        ],
    ),
    (
        "takes_longer",
        ["from_millis(40)", "from_millis(60)"],
        "from_millis(60)",
        &[
            r#"- {"is":"wait","from":100,"to":140"#,
            r#"+ {"is":"wait","from":100,"to":160"#,
        ],
    ),
    (
        "in_place",
        [
            "tokio::spawn(audit()).await.expect(\"no panic\");",
            "audit().await;",
        ],
        "audit().await",
        &[
            r#"- {"name":"audit""#,
            "task `audit` #4 spawned at in_place.rs:",
        ],
    ),
    (
        "permit_in_task",
        [
            "        let permit = Arc::clone(&permits).acquire_owned().await;\n        tasks.spawn(async move {\n",
            "        let permits = Arc::clone(&permits);\n        tasks.spawn(async move {\n            let permit = permits.acquire_owned().await;\n",
        ],
        "permits.acquire_owned()",
        &[r#"+ {"is":"wait","from":0,"to":100,"on":[{"what":"semaphore","call":"acquire_owned""#],
    ),
    (
        "aborted",
        ["drop(idle);", "idle.abort();"],
        "tokio::spawn(idle())",
        &[
            r#""ends":5,"outcome":"finished""#,
            r#""ends":0,"outcome":"cancelled""#,
        ],
    ),
    (
        "lines_moved",
        ["async fn audit", "// A comment.\nasync fn audit"],
        "async fn main",
        &["lines_moved.timeline.json"],
    ),
];

/// Other copies of `PACK`: their timelines are as recorded, missing, or edited.
const SAME: [&str; 3] = ["same", "missing", "edited"];

/// Programs of the folder `timelines` whose tasks are recorded, and what they print.
const RECORDED: [(&str, &str); 7] = [
    ("waits", "waited\n"),
    ("hands", "handed\n"),
    ("causes", "known\n"),
    ("endings", "ended\n"),
    ("ends_with_error", "so far\n[exit status: 1]\n"),
    ("ends_with_status", "so far\n[exit status: 3]\n"),
    ("prints", "first\nsecond 2, a b\n\nlast"),
];

/// Programs of the same folder that have no timeline, and why. They print `no`.
const REFUSED: [(&str, Refused); 10] = [
    ("no_runtime", Refused::NoRuntime),
    ("not_paused", Refused::NotPaused),
    ("many_threads", Refused::MultiThread),
    ("blocking", Refused::OtherThread),
    ("outside", Refused::Outside(String::new())),
    ("many_tasks", Refused::TooManyTasks),
    ("many_events", Refused::TooManyEvents),
    ("by_chance", Refused::Differs),
    ("prints_otherwise", Refused::PrintsOtherwise),
    ("prints_nothing", Refused::PrintsOtherwise),
];

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
    for (called, [from, to], ..) in CHANGES {
        assert!(PACK.contains(from), "{called}");
        add(called, &PACK.replacen(from, to, 1), "packed 3\n");
    }
    for called in SAME {
        add(called, PACK, "packed 3\n");
    }
    for (called, printed) in RECORDED
        .iter()
        .chain(&REFUSED.map(|(called, _)| (called, "no\n")))
    {
        add(called, &text_of(called), printed);
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
    for (called, ..) in CHANGES {
        write(called, &expected);
    }
    write("same", &expected);
    write("edited", &expected.replace("\"ends\": ", "\"ends\":  "));
    write("not_paused", &expected);
    programs
});

fn text_of(program: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/timelines");
    fs::read_to_string(folder.join(format!("{program}.rs"))).expect("a program")
}

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
    book.write(
        "src/page.md",
        format!("{page}\n{{{{#listing demo/{called}}}}}\n"),
    );
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
    fn assert_fails(&self, called: &str, parts: &[&str]) {
        let message = self.check(called).expect_err(called);
        let bless = format!("`cargo book bless demo/{called}`");
        for part in parts
            .iter()
            .copied()
            .chain(["(shown at src/page.md:", &bless])
        {
            assert!(message.contains(part), "`{part}` is missing in:\n{message}");
        }
    }
}

// --- What differs ----------------------------------------------------------------------------------

fn tasks_that_move_as_before_are_sound(_: &str) {
    assert_eq!(PROGRAMS.check("same"), Ok(()));
    let file = |called| format!("listings/demo/src/bin/{called}.timeline.json");
    PROGRAMS.assert_fails("missing", &["missing.rs: ", &file("missing"), "missing"]);
    PROGRAMS.assert_fails("edited", &[&file("edited")]);
    PROGRAMS.assert_fails(
        "not_paused",
        &[&file("not_paused"), "its clock is not paused"],
    );
}

/// The listing still prints the same, but the change is found, with its line.
fn is_found(called: &str) {
    let (_, _, words, says) = CHANGES.iter().find(|(it, ..)| *it == called).unwrap();
    let text = PROGRAMS.book.read(&name(called).source());
    let line = text.lines().position(|line| line.contains(words)).unwrap() + 1;
    let message = PROGRAMS.check(called).expect_err(called);
    let place = format!("listings/demo/src/bin/{called}.rs:{line}: ");
    assert!(message.starts_with(&place), "not at {place}:\n{message}");
    // Lines that moved alone are no difference.
    assert_eq!(message.contains("\n- "), called != "lines_moved");
    PROGRAMS.assert_fails(called, says);
}

fn the_same_run_has_the_same_bytes(_: &str) {
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

fn what_happens_is_recorded(_: &str) {
    let expected: [(&str, Describe, Expect); 7] = [
        (
            "waits",
            waits,
            expect![[r#"
            main: Sleep sleep:100, Sleep sleep:107
            sleep: Sleep sleep:80
            in_interval: Interval tick:15
            acquire: Semaphore acquire:82
            lock: Mutex lock:83
            read: RwLock read:84
            wait: Barrier wait:85
            value: Oneshot value:86
            recv: Channel recv:87
            in_send: Channel send:20
            recv: Channel recv:89
            changed: Watch changed:90
            notified: Notify notified:91
            spawn: Join spawn:92
            in_join_next: JoinNext join_next:26
            yield_now: Yield yield_now:94
            in_future: Future poll_fn:38
            in_select: Sleep sleep:44, Notify notified:45
            in_join_macro: Sleep sleep:51, Notify notified:52, Sleep sleep:51
            in_timeout: Sleep timeout:60, Notify notified:58
            sleep: Sleep :92
            sleep: Sleep :25
        "#]],
        ),
        (
            "hands",
            transfers,
            expect![[r#"
            0 ms first Acquire Semaphore:Some(21)
            100 ms second Acquire Semaphore:Some(21) from first
            200 ms second Send Oneshot:Some(22)
            200 ms second Release Semaphore:Some(21)
            100 ms Clock wakes first
            100 ms first wakes second
            200 ms Clock wakes second
            200 ms second wakes main
        "#]],
        ),
        (
            "causes",
            transfers,
            expect![[r#"
            100 ms main Acquire RwLock:Some(28)
            200 ms write Acquire RwLock:Some(28) from main
            200 ms write Release RwLock:Some(28)
            200 ms main Acquire Mutex:Some(35)
            300 ms hold Acquire Mutex:Some(35) from main
            300 ms hold Release Mutex:Some(35)
            100 ms Unknown wakes main
            200 ms Clock wakes main
            200 ms main wakes write
            200 ms write wakes main
            300 ms Clock wakes main
            300 ms main wakes hold
            300 ms hold wakes main
        "#]],
        ),
        (
            "endings",
            outcomes,
            expect![[r#"
            main: Finished at 100 ms, 5 spans
            returns: Finished at 10 ms, 3 spans
            panics: Panicked at 20 ms, 3 spans
            is_aborted: Cancelled at 50 ms, 2 spans
            is_left: Unfinished at 100 ms, 2 spans
            never_runs: Cancelled at 50 ms, 0 spans
        "#]],
        ),
        (
            "prints",
            printed,
            expect![[r#"
            0 ms task Some(0), line 25: first
            10 ms task Some(1), line 19: second 2, a b
            10 ms task Some(0), line 27: 
            10 ms task Some(0), line 28: last
            10 ms the end
        "#]],
        ),
        (
            "ends_with_error",
            printed,
            expect![[r#"
            0 ms task Some(0), line 8: so far
            10 ms the end
        "#]],
        ),
        (
            "ends_with_status",
            printed,
            expect![[r#"
            0 ms task Some(0), line 13: so far
            10 ms the end
        "#]],
        ),
    ];
    for (called, describe, expected) in expected {
        let lines = describe(&PROGRAMS.timeline(called));
        expected.assert_eq(&format!("{}\n", lines.join("\n")));
    }
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
        format!(
            "{}: {:?} at {}, {} spans",
            it.name,
            it.outcome,
            it.ends,
            it.spans.len()
        )
    };
    timeline.tasks.iter().map(task).collect()
}

fn printed(timeline: &Timeline) -> Vec<String> {
    let line = |it: &Printed| {
        format!(
            "{} task {:?}, line {}: {}",
            it.at, it.task, it.line, it.text
        )
    };
    let lines = timeline.printed.iter().map(line);
    lines
        .chain([format!("{} the end", timeline.ends)])
        .collect()
}

fn is_refused(called: &str) {
    let found = PROGRAMS.record(called).expect_err("it has no timeline");
    match REFUSED.into_iter().find(|(it, _)| *it == called).unwrap().1 {
        Refused::Outside(_) => assert_eq!(found, Refused::Outside("tokio::net".to_owned())),
        why => assert_eq!(found, why, "{called}"),
    }
    if called != "not_paused" {
        assert_eq!(PROGRAMS.check(called), Ok(()), "{called} needs no file");
    }
}

// --- Blessing --------------------------------------------------------------------------------------

fn blessing_records_and_removes(_: &str) {
    // The copies of this book use the same folder as those of the others.
    LazyLock::force(&PROGRAMS);
    let book = with_tokio();
    program(&book, "same", PACK, "");
    program(&book, "not_paused", &text_of("not_paused"), "");
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
