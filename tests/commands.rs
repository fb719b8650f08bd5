//! Promise: what the pages, README.md and CONTRIBUTING.md tell you to type or to open works.
//!
//! Every command they show is run, or, where it takes long, is resolved: the package, test or listing
//! that it names must be there. Every path must lead somewhere.

use mdbook_markdown::pulldown_cmark::{Event, Parser, Tag, TagEnd};
use model::{Project, references};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use verify::names::is_path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The documents that tell commands, relative to the root.
fn documents() -> Vec<String> {
    let project = Project::open(ROOT).expect("the book is here");
    let mut files = model::uses::pages_below(&project, "src");
    files.extend(["README.md".to_owned(), "CONTRIBUTING.md".to_owned()]);
    files
}

/// A piece of a document that stands in code: the words, and the line (from 1).
struct Code {
    file: String,
    line: usize,
    text: String,
    /// Whether it stands in a block of commands, and not between backticks.
    in_block: bool,
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

/// Paths and commands that stand among plain words: they are meant as such all the same.
static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:^|[\s(])((?:src|listings|tools|tests|theme|docs|benches|browser|measure|\.ci|\.github)/[\w./-]*[\w/]|cargo (?:add|bench|book|build|clippy|fetch|fmt|install|new|run|test)\b[\w -]*\w)",
    )
    .expect("a constant expression")
});

/// Everything in backticks or in a block, and what looks like it among plain words.
fn code() -> Vec<Code> {
    let mut found = Vec::new();
    for file in documents() {
        let text = read(&file);
        let mut in_block = false;
        let parser = Parser::new_ext(&text, references::OPTIONS);
        for (event, range) in parser.into_offset_iter() {
            let first = 1 + text[..range.start].matches('\n').count();
            let (text, is_code) = match event {
                Event::Start(Tag::CodeBlock(_)) => {
                    in_block = true;
                    continue;
                }
                Event::End(TagEnd::CodeBlock) => {
                    in_block = false;
                    continue;
                }
                Event::Text(text) => {
                    let line = |at: usize| first + text[..at].matches('\n').count();
                    let plain = PLAIN.captures_iter(&text).filter(|_| !in_block);
                    found.extend(plain.filter_map(|words| words.get(1)).map(|words| Code {
                        file: file.clone(),
                        line: line(words.start()),
                        text: words.as_str().to_owned(),
                        in_block: false,
                    }));
                    (text, in_block)
                }
                Event::Code(text) => (text, true),
                _ => continue,
            };
            let lines = text.lines().enumerate();
            let lines = lines.filter(|(_, line)| is_code && !line.is_empty());
            found.extend(lines.map(|(below, line)| Code {
                file: file.clone(),
                line: first + below,
                text: line.to_owned(),
                in_block,
            }));
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
        // Asks about the reader's own project; here, that cargo has it.
        ["cargo", "tree", "--duplicates"] => {
            run(&mut cargo(&["tree", "--offline", "--duplicates"]))
        }
        // This very run.
        ["cargo", "test"] => Ok(Checked::Resolved),
        // The reader's own project: tests/manifests.rs makes one.
        ["cargo", "new", "prices"] | ["cd", "prices"] | ["cargo", "run"] => Ok(Checked::Resolved),
        ["cargo", "test", "--test", name] => exists(&format!("tests/{name}.rs")),
        // In the reader's own project; tests/unstable.rs builds with that flag.
        ["RUSTFLAGS=\"--cfg", "tokio_unstable\"", "cargo", "run"] => Ok(Checked::Resolved),
        // It is installed over the network.
        ["cargo", "install", "tokio-console"] => Ok(Checked::Resolved),
        // It is run by tests/unstable.rs; here, that the program is there.
        ["cargo", "unstable", name] => {
            let project = Project::open(ROOT).map_err(|error| error.to_string())?;
            let programs = project.unstable_programs();
            let programs = programs.map_err(|error| error.to_string())?;
            let is_there = programs.iter().any(|program| program.name == *name);
            is_there
                .then_some(Checked::Resolved)
                .ok_or(format!("there is no unstable program `{name}`"))
        }
        ["cargo", "test", packages @ ..] => {
            packages
                .chunks(2)
                .try_fold(Checked::Resolved, |_, pair| match pair {
                    ["--package", "browser" | "measure"] => {
                        exists(&format!("{}/Cargo.toml", pair[1]))
                    }
                    ["--package", name] => exists(&format!("tools/{name}/Cargo.toml"))
                        .or_else(|_| exists(&format!("listings/{name}/Cargo.toml"))),
                    _ => Err("expected are --package and a name".to_owned()),
                })
        }
        ["cargo", "bench", "--package", "benches", "--bench", name] => {
            exists(&format!("benches/{name}.rs"))
        }
        ["cargo", "run", "--package", "measure"]
        | ["cargo", "run", "--package", "measure", "--", "--check"] => exists("measure/Cargo.toml"),
        ["cargo", "run", "--package", package, "--bin", name] => {
            exists(&format!("{package}/src/bin/{name}.rs"))
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
        ["cargo", "book", rest @ ..] => run(&mut book(&[rest, &["--help"]].concat())),
        ["cargo", "fetch"] => run(&mut cargo(&["fetch", "--locked", "--offline"])),
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

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(runs::cargo());
    command.args(arguments).current_dir(ROOT);
    command
}

/// `cargo book`, whose alias another test looks at, without asking cargo each time what is to be built.
fn book(arguments: &[&str]) -> Command {
    static BOOK: LazyLock<PathBuf> = LazyLock::new(|| {
        let format = "--message-format=json-render-diagnostics";
        let output = cargo(&["build", "--quiet", "--package", "book", format])
            .output()
            .expect("cargo starts");
        let told = String::from_utf8_lossy(&output.stdout);
        let messages = told
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let executable = messages
            .filter(|message| message["target"]["name"] == "book")
            .find_map(|message| message["executable"].as_str().map(PathBuf::from));
        executable.unwrap_or_else(|| {
            let errors = String::from_utf8_lossy(&output.stderr);
            panic!("`cargo book` does not compile:\n{errors}")
        })
    });
    let mut command = Command::new(&*BOOK);
    command.args(arguments).current_dir(ROOT);
    command
}

fn run(command: &mut Command) -> Result<Checked, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(Checked::Run);
    }
    Err(format!(
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// The command that a piece of code is; in a block, the line without its `$ `.
fn command(code: &Code) -> Option<Result<&str, String>> {
    if code.in_block {
        let command = code.text.strip_prefix("$ ");
        return Some(command.ok_or_else(|| "begins with no `$ `, so it is no command".to_owned()));
    }
    let first = code.text.split(' ').next().unwrap_or_default();
    let tools = ["cargo", "mdbook", "bash"];
    if tools.contains(&first) {
        return (first != code.text).then_some(Ok(&code.text));
    }
    let meant = tools
        .iter()
        .find(|tool| strsim::osa_distance(first, tool) == 1);
    meant.map(|tool| Err(format!("did you mean `{tool}`?")))
}

#[test]
fn every_command_works() {
    let found = code();
    let mut problems = Vec::new();
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for code in &found {
        match command(code) {
            Some(Ok(command)) => places.entry(command).or_default().push(code.place()),
            Some(Err(problem)) => problems.push(format!("{}: {problem}", code.place())),
            None => {}
        }
    }
    let mut run = 0;
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

/// An option that is named without its command belongs to one of `cargo book`.
#[test]
fn every_option_exists() {
    let help: String = ["serve", "build", "epub", "pdf", "bless", "drift"]
        .map(|command| {
            let output = book(&[command, "--help"]).output().expect("it starts");
            String::from_utf8_lossy(&output.stdout).into_owned()
        })
        .concat();
    assert!(help.contains("--port"), "no help: {help}");
    let port = Regex::new(r"127\.0\.0\.1:(\d+)").expect("a constant expression");
    for document in documents() {
        for (number, line) in read(&document).lines().enumerate() {
            for found in port.captures_iter(line) {
                let default = format!("[default: {}]", &found[1]);
                assert!(
                    help.contains(&default),
                    "{document}:{}: `cargo book serve` does not serve at port {}",
                    number + 1,
                    &found[1]
                );
            }
        }
    }
    let found = code();
    let options = found
        .iter()
        .filter(|code| !code.in_block && code.text.starts_with("--"))
        // The compiler's; `cargo unstable` gives it.
        .filter(|code| code.text != "--cfg tokio_unstable");
    let problems: Vec<_> = options
        .filter(|code| !help.split_whitespace().any(|word| word == code.text))
        .map(|code| {
            format!(
                "{}: no command of `cargo book` has such an option",
                code.place()
            )
        })
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
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
    // What a reader is told to make, what `cargo book build` makes, and an address.
    let examples = [
        "my_benchmark",
        "my_listing",
        "my_page",
        "my_program",
        "src/main.rs",
        "clippy.toml",
        "://",
    ];
    let found = code();
    let paths = found
        .iter()
        .filter(|code| !code.in_block && is_path(&code.text))
        .filter(|code| !examples.iter().any(|name| code.text.contains(name)))
        .filter(|code| !code.text.starts_with("book/"))
        // An ending alone: `.out`.
        .filter(|code| !code.text.starts_with('.') || code.text.contains('/'));
    let mut checked = 0;
    let problems: Vec<_> = paths
        .inspect(|_| checked += 1)
        .filter(|code| {
            !Path::new(ROOT)
                .join(code.text.trim_start_matches('/'))
                .exists()
        })
        .map(|code| format!("{}: there is no such path in the repository", code.place()))
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(checked > 0, "no path was found");
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
