//! Promise: what the pages, README.md and CONTRIBUTING.md tell you to type or to open works.
//!
//! Every command they show is run, or, where it takes long, is resolved: the package, test or listing
//! that it names must be there. Every link and every path must lead somewhere.

use pages::Project;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The documents that tell commands, relative to the root.
fn documents() -> Vec<String> {
    let project = Project::open(ROOT).expect("the book is here");
    let mut files = pages::uses::pages_below(&project, "src");
    files.extend(["README.md".to_owned(), "CONTRIBUTING.md".to_owned()]);
    files
}

/// A piece of a document that stands in code: the words, and the line (from 1).
struct Code {
    file: String,
    line: usize,
    text: String,
}

impl Code {
    fn place(&self) -> String {
        format!("{}:{}: `{}`", self.file, self.line, self.text)
    }
}

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Everything in backticks or in a console block.
fn code() -> Vec<Code> {
    let mut found = Vec::new();
    for file in documents() {
        let text = read(&file);
        let mut in_block = false;
        for (number, line) in text.lines().enumerate() {
            if line.starts_with("```") {
                in_block = !in_block;
            } else if in_block {
                let command = line.strip_prefix("$ ").map(str::to_owned);
                found.extend(command.map(|text| Code {
                    file: file.clone(),
                    line: number + 1,
                    text,
                }));
            } else {
                let spans = line.split('`').skip(1).step_by(2);
                found.extend(spans.map(|span| Code {
                    file: file.clone(),
                    line: number + 1,
                    text: span.to_owned(),
                }));
            }
        }
    }
    found
}

/// What became of checking a command.
enum Checked {
    /// It was run, and succeeded.
    Run,
    /// What it names exists; running it is another test's work, or takes too long.
    Resolved,
}

fn check(command: &str) -> Result<Checked, String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        // This very run.
        ["cargo", "test"] => Ok(Checked::Resolved),
        // The reader's own project: tests/manifests.rs makes one.
        ["cargo", "new", "prices"] | ["cd", "prices"] | ["cargo", "run"] => Ok(Checked::Resolved),
        ["cargo", "test", "--test", name] => exists(&format!("tests/{name}.rs")),
        ["cargo", "test", packages @ ..] => {
            packages
                .chunks(2)
                .try_fold(Checked::Resolved, |_, pair| match pair {
                    ["--package", "browser"] => exists("browser/Cargo.toml"),
                    ["--package", name] => exists(&format!("tools/{name}/Cargo.toml"))
                        .or_else(|_| exists(&format!("listings/{name}/Cargo.toml"))),
                    _ => Err("expected are --package and a name".to_owned()),
                })
        }
        // The listing itself is run by tests/outputs.rs; here, that cargo finds it under that name.
        ["cargo", "run", "--bin", "my_listing"] => Ok(Checked::Resolved),
        ["cargo", "run", "--bin", name] => {
            let project = Project::open(ROOT).map_err(|error| error.to_string())?;
            let listings = project.listings().map_err(|error| error.to_string())?;
            let is_there = listings.iter().any(|listing| listing.name == *name);
            is_there
                .then_some(Checked::Resolved)
                .ok_or(format!("there is no listing `{name}`"))
        }
        // `--help` after all of it: the words before it are read, and nothing is done.
        ["cargo", "book", rest @ ..] => run(&[
            &["run", "--quiet", "--package", "book", "--"],
            rest,
            &["--help"],
        ]
        .concat()),
        ["cargo", "fetch"] => run(&["fetch", "--locked", "--offline"]),
        ["cargo", "fmt" | "clippy", ..] => {
            let is_in_ci = read(".ci/run").contains(&words[1..].join(" "));
            is_in_ci
                .then_some(Checked::Resolved)
                .ok_or(".ci/run does not run that".to_owned())
        }
        ["bash", script] => exists(script),
        ["mdbook", "serve"] => exists("book.toml"),
        _ => Err("this test does not know how to check that command; teach it".to_owned()),
    }
}

fn exists(file: &str) -> Result<Checked, String> {
    let there = Path::new(ROOT).join(file).exists();
    there
        .then_some(Checked::Resolved)
        .ok_or(format!("{file} does not exist"))
}

fn run(arguments: &[&str]) -> Result<Checked, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(ROOT)
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(Checked::Run);
    }
    Err(format!(
        "`cargo {}` failed:\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    ))
}

#[test]
fn every_command_works() {
    let is_command = |text: &str| {
        ["cargo ", "mdbook ", "bash "]
            .iter()
            .any(|start| text.starts_with(start))
    };
    let found = code();
    let commands = found.iter().filter(|code| is_command(&code.text));
    let places = commands.fold(BTreeMap::<&str, Vec<String>>::new(), |mut places, code| {
        places.entry(&code.text).or_default().push(code.place());
        places
    });
    let mut run = 0;
    let mut problems = Vec::new();
    for (command, places) in places {
        match check(command) {
            Ok(Checked::Run) => run += 1,
            Ok(Checked::Resolved) => {}
            Err(problem) => problems.push(format!("{}: {problem}", places.join(", "))),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(run > 0, "no command was run");
}

#[test]
fn the_two_commands_are_there() {
    let readme = read("README.md");
    for command in ["$ cargo book serve\n", "$ cargo test\n"] {
        assert!(
            readme.contains(command),
            "README.md does not show {command}"
        );
    }
    let config = read(".cargo/config.toml");
    assert!(
        config.contains("book = \"run"),
        ".cargo/config.toml has no alias for `cargo book`"
    );
}

#[test]
fn every_path_exists() {
    let tops = [
        "src/",
        "listings/",
        "tools/",
        "tests/",
        "browser/",
        "theme/",
        "docs/",
        ".ci/",
        ".github/",
    ];
    // What a reader is told to make.
    let examples = ["my_listing", "my_page", "my_program", "src/main.rs"];
    let problems: Vec<_> = code()
        .iter()
        .filter(|code| tops.iter().any(|top| code.text.starts_with(top)))
        .filter(|code| !examples.iter().any(|name| code.text.contains(name)))
        .filter(|code| !Path::new(ROOT).join(&code.text).exists())
        .map(|code| format!("{}: there is no such path", code.place()))
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_test_file_stands_in_the_readme() {
    let readme = read("README.md");
    let files = std::fs::read_dir(Path::new(ROOT).join("tests")).expect("the folder is there");
    let names: BTreeSet<String> = files
        .flatten()
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !readme.contains(&format!("`tests/{name}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "README.md does not tell what these verify: {missing:?}"
    );
}

#[test]
fn every_link_leads_somewhere() {
    let mut problems = Vec::new();
    let mut links = 0;
    for file in ["README.md", "CONTRIBUTING.md"] {
        for (number, line) in read(file).lines().enumerate() {
            for target in line
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next())
            {
                links += 1;
                let is_outside = target.starts_with("https://");
                if !is_outside && !Path::new(ROOT).join(target).is_file() {
                    problems.push(format!(
                        "{file}:{}: the link `{target}` leads nowhere",
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(links > 0, "no link was found");
}
