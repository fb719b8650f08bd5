//! Promise: the commands, options, and paths in the pages, README.md, and CONTRIBUTING.md work.
//!
//! Cargo and `cargo book` parse each command, with `--help` at its end so that nothing is run. The packages, tests, and
//! programs that it names must exist. Nothing here needs a crate that `cargo test` doesn't download, so
//! `cargo fetch`, for example, isn't run.

use mdbook_markdown::pulldown_cmark::{Event, Parser, Tag, TagEnd};
use model::{Project, references, uses};
use regex::Regex;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use verify::identifiers::is_path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Code in a document: a line of a block, or what is between backticks.
struct Code {
    place: String,
    text: String,
    in_block: bool,
}

impl Code {
    fn problem(&self, message: impl std::fmt::Display) -> String {
        format!("{}: `{}`: {message}", self.place, self.text)
    }
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A document without what readers type into the search box, which may look like a command.
fn shown(file: &str) -> String {
    let text = read(file);
    let lines = text.lines().map(|line| {
        if line.starts_with("{{#aliases ") {
            ""
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn documents() -> Vec<String> {
    let project = Project::open(ROOT).expect("the book is here");
    let mut files = uses::pages_below(&project, "src");
    files.extend(["README.md".to_owned(), "CONTRIBUTING.md".to_owned()]);
    files
}

/// All code in the documents, and paths and commands that are written as plain words.
static CODE: LazyLock<Vec<Code>> = LazyLock::new(|| {
    let plain = Regex::new(
        r"(?:^|[\s(])((?:src|listings|tools|tests|theme|docs|benches|browser|measure|\.ci|\.github)/[\w./-]*[\w/]|cargo (?:add|bench|book|build|clippy|fetch|fmt|install|new|run|test)\b[\w -]*\w)",
    )
    .expect("a valid pattern");
    let mut code = Vec::new();
    for file in documents() {
        let text = shown(&file);
        let mut in_block = false;
        for (event, range) in Parser::new_ext(&text, references::OPTIONS).into_offset_iter() {
            let mut add = |at: usize, found: &str| {
                let line = 1 + text[..range.start + at].matches('\n').count();
                code.push(Code {
                    place: format!("{file}:{line}"),
                    text: found.to_owned(),
                    in_block,
                });
            };
            match event {
                Event::Start(Tag::CodeBlock(_)) => in_block = true,
                Event::End(TagEnd::CodeBlock) => in_block = false,
                Event::Code(found) => add(0, &found),
                Event::Text(words) if !in_block => {
                    for found in plain.captures_iter(&words).filter_map(|found| found.get(1)) {
                        add(0, found.as_str());
                    }
                }
                Event::Text(lines) => {
                    let mut at = 0;
                    for line in lines.split_inclusive('\n') {
                        add(at, line.trim_end());
                        at += line.len();
                    }
                }
                _ => {}
            }
        }
    }
    code.retain(|code| !code.text.is_empty());
    code
});

/// The packages of the workspace and their targets, as `cargo metadata` lists them. It needs no crates.
static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let words: Vec<_> = "metadata --no-deps --offline --format-version 1"
        .split(' ')
        .collect();
    let output = cargo(&words);
    serde_json::from_str(&output.expect("the manifests are valid")).expect("cargo writes JSON")
});

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.current_dir(ROOT).output();
    let output = output.map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn cargo(arguments: &[&str]) -> Result<String, String> {
    run(Command::new(runs::cargo()).args(arguments))
}

/// Runs `cargo book` or `courier`. `cargo test` has built them: cargo isn't asked again, which would build their dependencies
/// with the features of these two packages alone.
fn built(program: &str, arguments: &[&str]) -> Result<String, String> {
    let target = METADATA["target_directory"].as_str().unwrap_or_default();
    let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    let program_file = Path::new(target).join("debug").join(name);
    if !program_file.exists() {
        cargo(&["build", "--quiet", "--package", program])?;
    }
    run(Command::new(program_file).args(arguments))
}

fn book(arguments: &[&str]) -> Result<String, String> {
    built("book", arguments)
}

/// What all subcommands of a program print with `--help`.
fn helps(program: &str, before: &[&str]) -> String {
    let help =
        |words: &[&str]| built(program, &[words, &["--help"]].concat()).expect("the program runs");
    let overview = help(before);
    let commands = overview.lines().skip_while(|line| *line != "Commands:");
    let commands = commands
        .skip(1)
        .map_while(|line| line.split_whitespace().next());
    let others = commands.filter(|command| *command != "help");
    let others: String = others
        .map(|command| help(&[before, &[command]].concat()))
        .collect();
    overview + &others
}

/// The options of every test executable, such as this one.
static TEST_HELP: LazyLock<String> = LazyLock::new(|| {
    let own = std::env::current_exe().expect("this program has a path");
    run(Command::new(own).arg("--help")).expect("a test lists its options")
});

fn is_option(help: &str, word: &str) -> bool {
    help.split_whitespace().any(|option| option == word)
}

fn ensure(is_true: bool, message: &str) -> Result<(), String> {
    is_true.then_some(()).ok_or(message.to_owned())
}

fn exists(file: &str) -> Result<(), String> {
    let is_there = Path::new(ROOT).join(file).exists();
    ensure(is_there, &format!("{file} doesn't exist"))
}

fn check(command: &str) -> Result<(), String> {
    let command = command.trim_start_matches("RUSTFLAGS=\"--cfg tokio_unstable\" ");
    let words = command.split_whitespace();
    // Variables come before a command; it may read a file, or run beside the next one.
    let words = words.skip_while(|word| *word == "export" || is_variable(word));
    let words: Vec<&str> = words
        .take_while(|word| !["<", "&"].contains(word))
        .collect();
    match words.as_slice() {
        // They need not be installed; `.ci/run` runs them.
        ["cargo", "fmt" | "clippy", ..] => {
            let is_run = read(".ci/run").contains(command);
            ensure(is_run, ".ci/run doesn't run that")
        }
        ["cargo", "book", rest @ ..] => book(&[rest, &["--help"]].concat()).map(drop),
        ["cargo", "unstable", name] => exists(&format!("listings/debugging/unstable/{name}.rs")),
        // A tool that the reader installs, with its manual linked beside it.
        ["cargo", "sqlx", ..] => Ok(()),
        ["cargo", rest @ ..] => {
            let end = rest.iter().position(|word| *word == "--");
            let (rest, own) = rest.split_at(end.unwrap_or(rest.len()));
            for pair in rest.windows(2) {
                has_target(pair[0], pair[1])?;
            }
            let is_example = rest.contains(&"--example");
            if rest.contains(&"courier") && rest.first() == Some(&"run") && !is_example {
                let own = own.iter().skip(1).copied();
                let own: Vec<_> = own.chain(["--help"]).collect();
                return built("courier", &own).map(drop);
            }
            // The options of what isn't built here.
            let source = read("measure/src/main.rs") + &read("listings/courier/examples/load.rs");
            let options = own.iter().filter_map(|word| word.strip_prefix("--"));
            for option in options.filter(|option| !option.is_empty()) {
                let is_option = match rest {
                    ["test", ..] => is_option(&TEST_HELP, &format!("--{option}")),
                    _ => source.contains(&format!("{option}:")),
                };
                ensure(is_option, "there is no such option")?;
            }
            // The short help: the long one opens a pager.
            cargo(&[rest, &["-h"]].concat()).map(drop)
        }
        ["bash", script] => exists(script),
        ["mdbook", "serve"] => exists("book.toml"),
        // Into the reader's own package, which the line above makes.
        ["cd", _] => Ok(()),
        // The operating system's, for a process that is in trouble.
        ["gdb" | "grep" | "ls" | "perf" | "ss" | "strace", ..] => Ok(()),
        // A server of JetStream.
        ["nats-server", ..] => Ok(()),
        // Only variables.
        [] => Ok(()),
        _ => Err("there is no such command".to_owned()),
    }
}

/// Whether a word sets a variable of the environment.
fn is_variable(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.chars().all(|it| it.is_ascii_uppercase() || it == '_')
}

/// Checks that there's a package, bin, test, or bench of this name, if the option selects one.
fn has_target(option: &str, name: &str) -> Result<(), String> {
    // The name that CONTRIBUTING.md gives to the reader's own listing.
    if !["--package", "--bin", "--test", "--bench"].contains(&option) || name == "my_listing" {
        return Ok(());
    }
    let kind = option.trim_start_matches('-');
    let packages = METADATA["packages"].as_array().into_iter().flatten();
    let is_there = packages.into_iter().any(|package| {
        let mut targets = package["targets"].as_array().into_iter().flatten();
        match kind {
            "package" => package["name"] == name,
            _ => targets.any(|target| target["name"] == name && target["kind"][0] == kind),
        }
    });
    ensure(is_there, &format!("there is no {kind} `{name}`"))
}

/// The command that a piece of code is, if it's one: in a block, the line without its prompt.
fn command(code: &Code) -> Option<Result<&str, String>> {
    if code.in_block {
        let command = code.text.strip_prefix("$ ");
        if command.is_none() && code.place.starts_with(model::hand_written::WALKTHROUGH) {
            return None;
        }
        return Some(command.ok_or("is no command: it doesn't start with `$ `".to_owned()));
    }
    let (first, _) = code.text.split_once(' ')?;
    let tools = ["cargo", "mdbook", "bash"];
    if tools.contains(&first) {
        return Some(Ok(&code.text));
    }
    let meant = tools
        .iter()
        .find(|tool| strsim::osa_distance(first, tool) == 1)?;
    Some(Err(format!("did you mean `{meant}`?")))
}

fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_command_works() {
    let mut problems = Vec::new();
    let mut commands = 0;
    for code in &*CODE {
        if let Some(command) = command(code) {
            commands += 1;
            let problem = command.and_then(check).err();
            problems.extend(problem.map(|message| code.problem(message)));
        }
    }
    assert_none(&problems);
    assert!(commands > 0, "no command was found");
}

#[test]
fn every_option_and_port_is_one_of_cargo_book() {
    let help = helps("book", &[]) + &helps("courier", &[]) + &helps("courier", &["ctl"]);
    assert!(is_option(&help, "--port"), "{help}");
    let options = CODE.iter().filter(|code| {
        // That one is the compiler's; `cargo unstable` sets it.
        !code.in_block && code.text.starts_with("--") && code.text != "--cfg tokio_unstable"
    });
    let mut problems: Vec<_> = options
        .filter(|code| {
            ![&help, &*TEST_HELP]
                .into_iter()
                .any(|help| is_option(help, &code.text))
        })
        .map(|code| {
            code.problem("no command of `cargo book` or courier and no test has that option")
        })
        .collect();
    let port = Regex::new(r"127\.0\.0\.1:(\d+)").expect("a valid pattern");
    // Courier's processes and their neighbors have several ports.
    let is_of_courier = |document: &String| document.starts_with("src/courier/");
    for document in documents().into_iter().filter(|it| !is_of_courier(it)) {
        for (number, line) in (1..).zip(shown(&document).lines()) {
            let mut ports = port
                .captures_iter(line)
                .map(|port| format!("[default: {}]", &port[1]));
            if ports.any(|default| !help.contains(&default)) {
                problems.push(format!(
                    "{document}:{number}: `cargo book serve` has another port"
                ));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn every_path_exists() {
    // What a reader creates, what `cargo book build` writes, addresses, routes of servers, and types of bodies.
    let examples = Regex::new(
        r"my_(?:benchmark|listing|page|program)|src/main\.rs|clippy\.toml|://|^book/|^\.[^/]*$|^/[a-z]+$|^multipart/",
    )
    .expect("a valid pattern");
    let is_path =
        |code: &&Code| !code.in_block && is_path(&code.text) && !examples.is_match(&code.text);
    let paths: Vec<_> = CODE.iter().filter(is_path).collect();
    let missing = paths
        .iter()
        .filter(|code| exists(code.text.trim_start_matches('/')).is_err());
    let problems: Vec<_> = missing
        .map(|code| code.problem("there is no such path in the repository"))
        .collect();
    assert_none(&problems);
    assert!(!paths.is_empty(), "no path was found");
}

#[test]
fn the_readme_has_both_commands_and_every_test_file() {
    let readme = read("README.md");
    let files = fs::read_dir(Path::new(ROOT).join("tests")).expect("the folder is there");
    let files = files.map(|entry| entry.expect("the folder can be read").path());
    let names = files.filter(|file| file.is_file()).map(|file| {
        let name = file.file_name().unwrap_or_default();
        format!("`tests/{}`", name.display())
    });
    let commands = ["$ cargo book serve\n", "$ cargo test\n"].map(str::to_owned);
    let missing: Vec<_> = names
        .chain(commands)
        .filter(|text| !readme.contains(text))
        .collect();
    assert!(missing.is_empty(), "README.md doesn't have {missing:?}");
    let alias = "book = \"run";
    assert!(
        read(".cargo/config.toml").contains(alias),
        "`cargo book` has no alias in .cargo/config.toml"
    );
}
