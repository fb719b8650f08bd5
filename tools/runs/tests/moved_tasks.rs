//! A change that moves a listing's tasks is found, even where it prints what it printed before; every kind
//! of wait and of ending is recorded as it is; and what has no timeline says why.
//!
//! All programs are built once, with a runtime, into a folder that is kept from run to run.

use libtest_mimic::{Arguments, Trial};
use model::{ListingName, Project};
use runs::timelines::check;
use runs::timelines::workspace::{self, Copies};
use scratch::Scratch;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::LazyLock;
use timeline::format::{By, Does, Outcome, Span, What};
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
    macro_rules! trials {
        ($($test:ident,)*) => {
            vec![$(Trial::test(stringify!($test), || { $test(); Ok(()) })),*]
        };
    }
    let trials = trials![
        tasks_that_move_as_before_are_sound,
        tasks_that_are_spawned_in_another_order_are_found,
        a_wait_that_takes_longer_is_found,
        a_task_that_is_awaited_in_place_is_found,
        a_permit_that_is_taken_in_the_task_is_found,
        a_task_that_is_aborted_is_found,
        lines_that_moved_alone_are_told_as_such,
        a_timeline_that_is_missing_is_told,
        a_timeline_that_must_not_be_there_is_told,
        a_timeline_that_was_written_by_hand_is_told,
        the_same_run_has_the_same_bytes,
        every_kind_of_wait_is_told,
        what_changes_hands_is_told,
        every_ending_is_told,
        a_listing_may_end_with_an_error_or_a_status,
        what_is_printed_is_told_with_its_task_and_line,
        what_has_no_timeline_says_why,
        blessing_records_and_removes,
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

// --- The programs ----------------------------------------------------------------------------------

const PACK: &str = include_str!("timelines/pack.rs");

/// What a change of `PACK` is made of: its name, what it replaces, and by what.
const CHANGES: &[(&str, &str, &str)] = &[
    ("same", "", ""),
    ("another_order", "[1, 2]", "[2, 1]"),
    ("takes_longer", "from_millis(40)", "from_millis(60)"),
    (
        "in_place",
        "tokio::spawn(audit()).await.expect(\"no panic\");",
        "audit().await;",
    ),
    (
        "permit_in_task",
        "        let permit = Arc::clone(&permits).acquire_owned().await;\n        tasks.spawn(async move {\n",
        "        let permits = Arc::clone(&permits);\n        tasks.spawn(async move {\n            let permit = permits.acquire_owned().await;\n",
    ),
    ("aborted", "drop(idle);", "idle.abort();"),
    (
        "lines_moved",
        "async fn audit",
        "// A comment.\nasync fn audit",
    ),
    ("missing", "", ""),
    ("by_hand", "", ""),
];

/// Programs for one test each: their names and texts.
const OTHERS: &[(&str, &str)] = &[
    ("waits", include_str!("timelines/waits.rs")),
    ("hands", include_str!("timelines/hands.rs")),
    ("endings", include_str!("timelines/endings.rs")),
    (
        "ends_with_error",
        include_str!("timelines/ends_with_error.rs"),
    ),
    (
        "ends_with_status",
        include_str!("timelines/ends_with_status.rs"),
    ),
    ("prints", include_str!("timelines/prints.rs")),
    ("no_runtime", "//! None.\nfn main() { println!(\"no\"); }\n"),
    (
        "not_paused",
        "//! Runs.\n#[tokio::main(flavor = \"current_thread\")]\nasync fn main() { println!(\"no\"); }\n",
    ),
    (
        "many_threads",
        "//! Threads.\n#[tokio::main]\nasync fn main() { println!(\"no\"); }\n",
    ),
    ("blocking", include_str!("timelines/blocking.rs")),
    ("outside", include_str!("timelines/outside.rs")),
    ("many_tasks", include_str!("timelines/many_tasks.rs")),
    ("many_events", include_str!("timelines/many_events.rs")),
    ("by_chance", include_str!("timelines/by_chance.rs")),
    (
        "prints_otherwise",
        include_str!("timelines/prints_otherwise.rs"),
    ),
    (
        "prints_nothing",
        include_str!("timelines/prints_nothing.rs"),
    ),
];

/// What they print, where that is not `no`.
const PRINTED: &[(&str, &str)] = &[
    ("waits", "waited\n"),
    ("hands", "handed\n"),
    ("endings", "ended\n"),
    ("ends_with_error", "so far\n[exit status: 1]\n"),
    ("ends_with_status", "so far\n[exit status: 3]\n"),
    ("prints", "first\nsecond 2, a b\n\nlast"),
];

struct Zoo {
    book: Scratch,
    project: Project,
    copies: Copies,
}

static ZOO: LazyLock<Zoo> = LazyLock::new(|| {
    let book = with_tokio();
    for (name, from, to) in CHANGES {
        assert!(PACK.contains(from), "{name}");
        program(&book, name, &PACK.replacen(from, to, 1), "packed 3\n");
    }
    for (name, text) in OTHERS {
        let printed = PRINTED.iter().find(|(other, _)| other == name);
        program(&book, name, text, printed.map_or("no\n", |(_, text)| text));
    }
    let project = Project::open(book.root()).expect("a book");
    let names: Vec<_> = CHANGES
        .iter()
        .map(|(name, ..)| *name)
        .chain(OTHERS.iter().map(|(name, _)| *name))
        .map(name)
        .collect();
    let copies = workspace::build(&project, &names).expect("cargo builds");
    assert_eq!(copies.built.errors, "");
    let zoo = Zoo {
        book,
        project,
        copies,
    };
    let expected = zoo.timeline("same").to_json().expect("a timeline");
    for (changed, ..) in CHANGES.iter().filter(|(name, ..)| *name != "missing") {
        zoo.book.write(&name(changed).timeline(), &expected);
    }
    zoo.book.write(
        &name("by_hand").timeline(),
        expected.replace("\"ends\": ", "\"ends\":  "),
    );
    zoo.book.write(&name("not_paused").timeline(), &expected);
    zoo
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
    book.write(
        "src/page.md",
        format!("{page}\n{{{{#listing demo/{called}}}}}\n"),
    );
}

fn name(name: &str) -> ListingName {
    ListingName::parse(&format!("demo/{name}")).expect("a name")
}

impl Zoo {
    fn record(&self, called: &str) -> Result<Timeline, Refused> {
        let name = name(called);
        let printed = self.project.read(&name.output()).expect("an output");
        self.copies
            .record(&self.project, &name, &printed)
            .unwrap_or_else(|error| panic!("{called}: {error:#}"))
    }

    #[track_caller]
    fn timeline(&self, called: &str) -> Timeline {
        match self.record(called) {
            Ok(timeline) => timeline,
            Err(why) => panic!("{called}: {why}"),
        }
    }

    fn check(&self, called: &str) -> Result<(), String> {
        check(&self.project, &name(called), &self.record(called))
    }

    #[track_caller]
    fn failure(&self, called: &str) -> String {
        self.check(called).expect_err("it moves otherwise")
    }
}

#[track_caller]
fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is missing in:\n{text}");
}

/// The line (from 1) of a program's text that holds some words.
fn line(text: &str, words: &str) -> u32 {
    let at = text.lines().position(|line| line.contains(words));
    at.map_or_else(|| panic!("no line has `{words}`"), |at| at as u32 + 1)
}

// --- What moves otherwise --------------------------------------------------------------------------

fn tasks_that_move_as_before_are_sound() {
    assert_eq!(ZOO.check("same"), Ok(()));
}

/// The listing still prints the same, and yet the change is found: with its place, its page and what to do.
#[track_caller]
fn found(called: &str, words: &str) -> String {
    let told = ZOO.failure(called);
    let place = format!(
        "listings/demo/src/bin/{called}.rs:{}: ",
        line(&text(called), words)
    );
    assert!(
        told.starts_with(&place),
        "{place} is not where it begins:\n{told}"
    );
    assert_has(
        &told,
        "its tasks move otherwise than listings/demo/src/bin/",
    );
    assert_has(&told, "(shown at src/page.md:");
    assert_has(
        &told,
        &format!("`cargo book bless demo/{called}` records them anew"),
    );
    told
}

fn text(called: &str) -> String {
    ZOO.book.read(&name(called).source())
}

fn tasks_that_are_spawned_in_another_order_are_found() {
    let told = found("another_order", "sleep(Duration::from_millis(order");
    assert_has(&told, "task `pack` #2 spawned at another_order.rs:");
    assert_has(
        &told,
        "began at 0 ms, was expected to end at 100 ms, ended at 200 ms",
    );
}

fn a_wait_that_takes_longer_is_found() {
    let told = found("takes_longer", "from_millis(60)");
    assert_has(
        &told,
        "began at 100 ms, was expected to end at 140 ms, ended at 160 ms",
    );
    assert_has(
        &told,
        "expected is that it waits from 100 ms to 140 ms for a sleep (`sleep`) at takes_longer.rs:",
    );
}

fn a_task_that_is_awaited_in_place_is_found() {
    let told = found("in_place", "audit().await");
    assert_has(&told, "task `audit` #4 spawned at in_place.rs:");
    assert_has(&told, "was not spawned");
}

fn a_permit_that_is_taken_in_the_task_is_found() {
    let told = found("permit_in_task", "tokio::spawn(audit())");
    assert_has(
        &told,
        "waits from 0 ms to 100 ms for a permit (`acquire_owned`)",
    );
}

fn a_task_that_is_aborted_is_found() {
    let told = found("aborted", "tokio::spawn(idle())");
    assert_has(&told, "was expected to end at 5 ms, was cancelled at 0 ms");
}

fn lines_that_moved_alone_are_told_as_such() {
    let told = ZOO.failure("lines_moved");
    let place = format!(
        "lines_moved.rs:{}: ",
        line(&text("lines_moved"), "async fn main")
    );
    assert_has(&told, &place);
    assert_has(
        &told,
        "its tasks move as listings/demo/src/bin/lines_moved.timeline.json says, but on other lines",
    );
    assert_has(&told, "`cargo book bless demo/lines_moved` writes it anew");
}

// --- The file --------------------------------------------------------------------------------------

fn a_timeline_that_is_missing_is_told() {
    let told = ZOO.failure("missing");
    assert_has(
        &told,
        "listings/demo/src/bin/missing.rs: its tasks can be recorded, but listings/demo/src/bin/missing.timeline.json is missing",
    );
    assert_has(&told, "`cargo book bless demo/missing` writes it");
}

fn a_timeline_that_must_not_be_there_is_told() {
    let told = ZOO.failure("not_paused");
    assert_has(
        &told,
        "but they cannot be recorded: its clock is not paused",
    );
    assert_has(&told, "`cargo book bless demo/not_paused` removes the file");
}

fn a_timeline_that_was_written_by_hand_is_told() {
    assert_has(
        &ZOO.failure("by_hand"),
        "by_hand.timeline.json: was written by hand",
    );
}

fn the_same_run_has_the_same_bytes() {
    let json = |called| ZOO.timeline(called).to_json().expect("a timeline");
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

/// The waits of a task: for what, which call, on which line.
fn waits(timeline: &Timeline, task: &str) -> Vec<(What, String, Option<u32>)> {
    let task = timeline.tasks.iter().find(|it| it.name == task);
    let task = task.unwrap_or_else(|| panic!("no such task: {:#?}", timeline.tasks));
    let on = task.spans.iter().filter_map(|span| match span {
        Span::Wait { on, .. } => Some(on),
        Span::Run { .. } => None,
    });
    on.flatten()
        .map(|on| (on.what, on.call.clone(), on.line))
        .collect()
}

fn every_kind_of_wait_is_told() {
    let (timeline, text) = (ZOO.timeline("waits"), text("waits"));
    let expected = [
        ("in_sleep", What::Sleep, "sleep"),
        ("in_interval", What::Interval, "tick"),
        ("in_semaphore", What::Semaphore, "acquire"),
        ("in_mutex", What::Mutex, "lock"),
        ("in_rw_lock", What::RwLock, "read"),
        ("in_barrier", What::Barrier, "wait"),
        ("in_oneshot", What::Oneshot, "value"),
        ("in_receive", What::Channel, "recv"),
        ("in_send", What::Channel, "send"),
        ("in_broadcast", What::Channel, "recv"),
        ("in_watch", What::Watch, "changed"),
        ("in_notify", What::Notify, "notified"),
        ("in_join", What::Join, "other"),
        ("in_join_next", What::JoinNext, "join_next"),
        ("in_yield", What::Yield, "yield_now"),
        ("in_future", What::Future, "poll_fn"),
    ];
    for (task, what, call) in expected {
        let line = line(&text, &format!("// {task}"));
        let found = waits(&timeline, task);
        assert!(
            found.contains(&(what, call.to_owned(), Some(line))),
            "{task} {what:?} {call} {line}: {found:?}"
        );
    }
    // Of `select!` and `join!`, each branch.
    for task in ["in_select", "in_join_macro"] {
        let first = line(&text, &format!("// {task} 1"));
        assert_eq!(
            waits(&timeline, task)[..2],
            [
                (What::Sleep, "sleep".to_owned(), Some(first)),
                (What::Notify, "notified".to_owned(), Some(first + 1)),
            ]
        );
    }
    // The limit of a timeout, and what it limits.
    let limit = line(&text, "// in_timeout");
    let found = waits(&timeline, "in_timeout");
    assert!(
        found.contains(&(What::Sleep, "timeout".to_owned(), Some(limit))),
        "{found:?}"
    );
    assert!(
        found.contains(&(What::Notify, "notified".to_owned(), Some(limit - 2))),
        "{found:?}"
    );
}

fn what_changes_hands_is_told() {
    let (timeline, text) = (ZOO.timeline("hands"), text("hands"));
    let task = |name: &str| timeline.tasks.iter().position(|task| task.name == name);
    let permits = timeline
        .resources
        .iter()
        .position(|it| it.line == Some(line(&text, "Semaphore::new")))
        .expect("the semaphore is there");
    assert_eq!(timeline.resources[permits].what, What::Semaphore);
    let told: Vec<_> = timeline
        .passed
        .iter()
        .filter(|passed| passed.resource == permits)
        .map(|it| (it.task, it.does, it.at.micros() / 1000, it.from))
        .collect();
    assert_eq!(
        told,
        [
            (task("first"), Does::Takes, 0, None),
            (task("second"), Does::Takes, 100, task("first")),
            (task("second"), Does::Returns, 200, None),
        ]
    );
    let values = timeline
        .passed
        .iter()
        .filter(|it| matches!(it.does, Does::Sends | Does::Receives));
    let values: Vec<_> = values.map(|it| (it.task, it.does)).collect();
    assert_eq!(values, [(task("second"), Does::Sends)]);
    // The one that gives back its permit wakes the one that waits for it.
    let woken = timeline
        .wakes
        .iter()
        .find(|wake| Some(wake.task) == task("second"));
    assert_eq!(woken.map(|wake| wake.by), task("first").map(By::Task));
}

fn every_ending_is_told() {
    let timeline = ZOO.timeline("endings");
    let endings: Vec<_> = timeline
        .tasks
        .iter()
        .map(|task| {
            (
                &*task.name,
                task.outcome,
                task.ends.micros() / 1000,
                task.spans.len(),
            )
        })
        .collect();
    assert_eq!(
        endings,
        [
            ("main", Outcome::Finished, 100, 5),
            ("returns", Outcome::Finished, 10, 3),
            ("panics", Outcome::Panicked, 20, 3),
            ("is_aborted", Outcome::Cancelled, 50, 2),
            ("is_left", Outcome::Left, 100, 2),
            ("never_runs", Outcome::Cancelled, 50, 0),
        ]
    );
}

fn a_listing_may_end_with_an_error_or_a_status() {
    for called in ["ends_with_error", "ends_with_status"] {
        let timeline = ZOO.timeline(called);
        assert_eq!(timeline.printed.len(), 1);
        assert_eq!(timeline.ends.micros(), 10_000, "{called}");
    }
}

fn what_is_printed_is_told_with_its_task_and_line() {
    let (timeline, text) = (ZOO.timeline("prints"), text("prints"));
    let printed: Vec<_> = timeline
        .printed
        .iter()
        .map(|it| (&*it.text, it.line, it.task, it.at.micros() / 1000))
        .collect();
    assert_eq!(
        printed,
        [
            ("first", line(&text, "first"), Some(0), 0),
            ("second 2, a b", line(&text, "print!(\"second"), Some(1), 10),
            ("", line(&text, "println!();"), Some(0), 10),
            ("last", line(&text, "last"), Some(0), 10),
        ]
    );
}

fn what_has_no_timeline_says_why() {
    let expected = [
        ("no_runtime", Refused::NoRuntime),
        ("not_paused", Refused::NotPaused),
        ("many_threads", Refused::MultiThread),
        ("blocking", Refused::OtherThread),
        ("outside", Refused::Outside("tokio::net".to_owned())),
        ("many_tasks", Refused::TooManyTasks),
        ("many_events", Refused::TooManyEvents),
        ("by_chance", Refused::Differs),
        ("prints_otherwise", Refused::PrintsOtherwise),
        ("prints_nothing", Refused::PrintsOtherwise),
    ];
    for (called, why) in expected {
        assert_eq!(ZOO.record(called), Err(why), "{called}");
        if called != "not_paused" {
            assert_eq!(
                ZOO.check(called),
                Ok(()),
                "{called} has no file, and needs none"
            );
        }
    }
}

// --- Blessing --------------------------------------------------------------------------------------

fn blessing_records_and_removes() {
    // The copies of this book lie where those of the others do.
    LazyLock::force(&ZOO);
    let book = with_tokio();
    program(&book, "same", PACK, "");
    program(&book, "not_paused", OTHERS[7].1, "");
    book.write(&name("not_paused").timeline(), "{}\n");
    let project = Project::open(book.root()).expect("a book");
    let mut files = Vec::new();
    let names = [name("same"), name("not_paused"), name("hello")];
    runs::bless::bless(&project, &names, |change| files.push(change.file)).expect("it is blessed");
    assert_eq!(
        files,
        [
            name("same").output(),
            name("same").timeline(),
            name("not_paused").output(),
            name("not_paused").timeline(),
        ]
    );
    assert!(Timeline::parse(&book.read(&name("same").timeline())).is_ok());
    assert!(!project.has(&name("not_paused").timeline()));
    assert!(!project.has(&name("hello").timeline()));
}
