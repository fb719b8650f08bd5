//! Promises about what authors write around the code.

use crate::breakage::{Breakage, Edit};
use crate::check::Check;
use crate::rows::pages::inserted;
use crate::sample::{Sample, Text, numbered, pick, with_line};
use fastrand::Rng;
use model::cancel_safety::DATA;
use model::measured;
use regex::Regex;

/// Promise 11: every trick by which code has been seen to escape its tests.
pub fn smuggled_code(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let program = "fn main() {\n    let order = 7;\n    println!(\"{order}\");\n}";
    let fence = |info: &str| format!("```{info}\n{program}\n```");
    let not_compiled = "Rust code written by hand is not compiled";
    let not_checked = "and nothing checks it";
    let mut tricks: Vec<(String, usize, &str)> = [
        "rust",
        "rs",
        "Rust",
        "rust,ignore",
        "ignore,rust",
        "rust,no_run",
        "rust norun",
        "rust,should_panic",
        "rust,compile_fail",
        "rust,E0277,compile_fail",
        "rust,noplayground",
    ]
    .map(|info| (fence(info), 0, not_compiled))
    .into();
    tricks.extend(["", "text", "c", "ignore"].map(|info| (fence(info), 0, not_checked)));
    let each_line = |start: &str| {
        let block = fence("rust");
        let lines: Vec<_> = block.lines().map(|line| format!("{start}{line}")).collect();
        lines.join("\n")
    };
    tricks.push((each_line("> "), 0, not_compiled));
    tricks.push((
        format!("- An item:\n\n{}", each_line("  ")),
        2,
        not_compiled,
    ));
    tricks.push((
        program
            .lines()
            .map(|line| format!("    {line}\n"))
            .collect(),
        0,
        "indented code is not checked",
    ));
    tricks.push((fence("rust").replace("```", "~~~"), 0, not_compiled));
    tricks.push((
        format!("<pre>{program}</pre>"),
        0,
        "code in HTML is not checked",
    ));
    tricks.push((
        format!("<div>\n{}\n</div>", fence("rust")),
        0,
        "code in HTML is not checked",
    ));
    tricks.push((
        "`let order = next();`\n`ship(order).await;`".into(),
        1,
        "nothing compiles it between backticks",
    ));
    tricks.push((
        "{{#include ../listings/rustfmt.toml}}".into(),
        0,
        "is not a directive; code comes onto a page",
    ));
    tricks.push((fence("console"), 1, "is no command"));
    let check = Check::test("pages");
    let readme = sample.project.read("README.md").unwrap_or_default();
    let last = readme.lines().count();
    let in_readme = Breakage {
        promise: 11,
        what: "README.md has a program at its end".into(),
        edits: vec![Edit::write(
            "README.md",
            format!("{readme}\n{}\n", fence("rust")),
        )],
        check: check.clone(),
        place: format!("README.md:{}", last + 2),
        says: not_compiled.into(),
    };
    tricks
        .into_iter()
        .filter_map(|(block, below, says)| inserted(sample, rng, 11, &block, below, &check, says))
        .chain([in_readme])
        .collect()
}

/// Promise 12.
pub fn broken_commands(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let mut breakages = Vec::new();
    let check = Check::test("commands");
    let paragraphs = [
        (
            "Run `cargo run --bin never_written`.",
            "there is no listing `never_written`",
        ),
        ("Run `cargo book sevre`.", "failed:"),
        ("Run `crago test`.", "did you mean `cargo`?"),
        (
            "Run `cargo test --test promises`.",
            "tests/promises.rs does not exist",
        ),
        (
            "See `listings/tasks/never.rs`.",
            "there is no such path in the repository",
        ),
        (
            "The program lies in listings/tasks/src/bin/never.rs as well.",
            "there is no such path in the repository",
        ),
        (
            "See `tool/book/`.",
            "there is no such path in the repository",
        ),
        (
            "```console\n$ cargo bless all\n```",
            "does not know how to check that command",
        ),
    ];
    for (block, says) in paragraphs {
        let below = usize::from(block.starts_with("```"));
        breakages.extend(inserted(sample, rng, 12, block, below, &check, says));
    }
    let readme = Text {
        file: "README.md".into(),
        text: sample.project.read("README.md").unwrap_or_default(),
    };
    let changes = [
        (
            r"`cargo run --bin (\w+)`",
            "`cargo run --bin ${1}_old`",
            "there is no listing",
        ),
        (r"^\$ cargo book serve$", "$$ cargo book server", "failed:"),
        (
            r"`tests/(\w+)\.rs`",
            "`tests/${1}_old.rs`",
            "there is no such path in the repository",
        ),
    ];
    for (expression, to, says) in changes {
        let expression = Regex::new(expression).expect("a constant expression");
        let lines = numbered(&readme.text).filter(|(_, line)| expression.is_match(line));
        if let Some((number, line)) = pick(rng, lines) {
            let other = expression.replace(line, to);
            breakages.push(Breakage {
                promise: 12,
                what: format!("README.md:{number} has: {}", other.trim()),
                edits: vec![Edit::write(
                    &readme.file,
                    with_line(&readme.text, number, Some(&other)),
                )],
                check: check.clone(),
                place: format!("README.md:{number}"),
                says: says.into(),
            });
        }
    }
    breakages
}

/// Promise 13.
pub fn numbers_by_hand(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let check = Check::test("pages");
    let version = sample.version("tokio").unwrap_or_default();
    let stale = "is written by hand and goes stale";
    let no_source = "stands in no program and no output on this page";
    let paragraphs = [
        (format!("This needs Tokio {version}."), stale),
        ("Since `tokio` 1.36 there is more.".to_owned(), stale),
        ("It needs Rust 1.85.".to_owned(), stale),
        ("Put `futures = \"0.3\"` there.".to_owned(), stale),
        ("It takes 4711 ms.".to_owned(), no_source),
        ("That is 17.3 times as fast.".to_owned(), no_source),
        ("A task takes 4711 bytes.".to_owned(), no_source),
        ("It is done in 4711 seconds.".to_owned(), no_source),
    ];
    let mut breakages: Vec<Breakage> = paragraphs
        .iter()
        .filter_map(|(block, says)| inserted(sample, rng, 13, block, 0, &check, says))
        .collect();
    let readme = sample.project.read("README.md").unwrap_or_default();
    let rust = Regex::new(r"1\.\d+ or newer").expect("a constant expression");
    if let Some((number, line)) = numbered(&readme).find(|(_, line)| rust.is_match(line)) {
        let other = rust.replace(line, "1.70 or newer");
        breakages.push(Breakage {
            promise: 13,
            what: format!("README.md:{number} asks for an older Rust"),
            edits: vec![Edit::write(
                "README.md",
                with_line(&readme, number, Some(&other)),
            )],
            check: check.clone(),
            place: format!("README.md:{number}"),
            says: "is not true any more".into(),
        });
    }
    breakages.extend(other_measurements(sample, rng, &check));
    breakages.extend(another_version(sample, rng, &check));
    breakages.extend(other_verdicts(sample, rng));
    breakages
}

/// A page tells that something came in another version than it did.
fn another_version(sample: &Sample, rng: &mut Rng, check: &Check) -> Option<Breakage> {
    let used = pick(rng, sample.used("since"))?;
    let page = sample.page(&used.page)?;
    let (number, line) = numbered(&page.text).find(|(number, _)| *number == used.line)?;
    let version = used.argument.split_whitespace().nth(1)?;
    let text = with_line(&page.text, number, Some(&line.replace(version, "0.0.1")));
    Some(Breakage {
        promise: 13,
        what: format!("{}:{number} tells of another version", page.file),
        edits: vec![Edit::write(&page.file, text)],
        check: check.clone(),
        place: format!("{}:{number}", page.file),
        says: "has no version 0.0.1 in its list of changes".into(),
    })
}

/// The cancel-safety table says something else than its runs find, or a run is renamed.
fn other_verdicts(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let text = sample.project.read(DATA).unwrap_or_default();
    let mut breakages = Vec::new();
    let verdicts = numbered(&text).filter(|(_, line)| line.starts_with("verdict = "));
    if let Some((number, line)) = pick(rng, verdicts) {
        let other = if line.contains("\"safe\"") {
            "verdict = \"not_safe\""
        } else {
            "verdict = \"safe\""
        };
        breakages.push(Breakage {
            promise: 13,
            what: format!("{DATA}:{number} says {other}"),
            edits: vec![Edit::write(DATA, with_line(&text, number, Some(other)))],
            check: Check::Part {
                file: "cancel_safety",
            },
            place: format!("{DATA}:{number}"),
            says: "the row says".into(),
        });
    }
    let runs = numbered(&text).filter(|(_, line)| line.starts_with("shown_by = "));
    if let Some((number, line)) = pick(rng, runs) {
        let other = line.replacen("= \"", "= \"not_", 1);
        breakages.push(Breakage {
            promise: 13,
            what: format!("{DATA}:{number} names a run that is not there"),
            edits: vec![Edit::write(DATA, with_line(&text, number, Some(&other)))],
            check: Check::test("pages"),
            place: format!("{DATA}:{number}"),
            says: "there is no test".into(),
        });
    }
    breakages
}

/// A benchmark is edited and not measured again, or something is claimed of it that was not measured.
fn other_measurements(sample: &Sample, rng: &mut Rng, check: &Check) -> Vec<Breakage> {
    let read = |file: &str| sample.project.read(file).unwrap_or_default();
    let mut breakages = Vec::new();
    let names = measured::names(&sample.project);
    if let Some(name) = pick(rng, names.iter()) {
        let source = measured::source_file(name);
        let record = measured::record_file(name);
        let text = read(&record);
        let line = numbered(&text).find(|(_, line)| line.starts_with("source = "));
        let number = line.map_or(1, |(number, _)| number);
        breakages.push(Breakage {
            promise: 13,
            what: format!("{source} is edited, and not measured again"),
            edits: vec![Edit::write(&source, read(&source) + "// Quicker.\n")],
            check: check.clone(),
            place: format!("{record}:{number}"),
            says: "was edited since; measure again".into(),
        });
    }
    let claims = names.iter().flat_map(|name| {
        let file = measured::spec_file(name);
        let text = read(&file);
        let lines: Vec<_> = numbered(&text)
            .filter(|(_, line)| *line == "[[claim]]")
            .map(|(number, _)| number)
            .collect();
        lines.into_iter().map(move |number| (file.clone(), number))
    });
    if let Some((file, number)) = pick(rng, claims) {
        let text = read(&file);
        let times = numbered(&text).find(|(at, line)| *at > number && line.starts_with("times = "));
        let at = times.map_or(number, |(at, _)| at);
        breakages.push(Breakage {
            promise: 13,
            what: format!("{file}:{number} claims more than was measured"),
            edits: vec![Edit::write(
                &file,
                with_line(&text, at, Some("times = 1000000.0")),
            )],
            check: check.clone(),
            place: format!("{file}:{number}"),
            says: "times as long as".into(),
        });
    }
    breakages
}
