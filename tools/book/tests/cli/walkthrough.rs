//! Follows the walk-through of CONTRIBUTING.md to the letter.

use crate::{is_output, normalized, stdout, tool};
use scratch::Scratch;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A small book with a part `tasks`, whose listings depend on Tokio as the real ones do.
fn small_book() -> Scratch {
    let book = Scratch::sound();
    let read = |file: &str| fs::read_to_string(Path::new(ROOT).join(file)).expect("it is there");
    book.write("Cargo.lock", read("Cargo.lock"));
    let manifest = book
        .read("listings/demo/Cargo.toml")
        .replace("demo", "tasks");
    let tokio = "tokio = { version = \"1\", features = [\"full\", \"test-util\"] }\n";
    book.write("listings/tasks/Cargo.toml", manifest + tokio);
    fs::remove_dir_all(book.path("listings/demo")).expect("a folder can be removed");
    book.write("src/page.md", "# Page\n");
    book.write("src/tasks/index.md", "# Tasks\n");
    book.write(
        "src/SUMMARY.md",
        "# Summary\n\n- [Page](page.md)\n- [Tasks](tasks/index.md)\n",
    );
    book.write("published.txt", "page.html\ntasks/index.html\n");
    book
}

/// The commands of the walk-through, each with what it prints.
fn steps() -> Vec<(String, String)> {
    let text = fs::read_to_string(format!("{ROOT}/CONTRIBUTING.md")).expect("it is there");
    let section = text.split("\n## ").nth(1).expect("a section").to_owned();
    let blocks = section.split("```console\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap_or_default());
    let commands = blocks.flat_map(|block| block.split("$ ").skip(1));
    let steps = commands.filter_map(|step| step.split_once('\n'));
    steps
        .map(|(command, output)| (command.to_owned(), output.to_owned()))
        .collect()
}

#[test]
fn the_walk_through_works_as_it_says() {
    let book = small_book();
    // Kept from run to run, so that Tokio is built once.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("walkthrough");
    let steps = steps();
    assert!(steps.len() >= 5, "{steps:?}");
    for (command, expected) in steps {
        let words: Vec<_> = command.split(' ').collect();
        let mut started = match words.as_slice() {
            ["cargo", "book", rest @ ..] => {
                let mut started = tool(book.root());
                started.args(rest);
                started
            }
            ["cargo", rest @ ..] => {
                let mut started = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
                started.args(rest).current_dir(book.root());
                started
            }
            _ => panic!("this test cannot run `{command}`"),
        };
        // Crates that were never needed before are downloaded, as for a newcomer.
        started
            .env("CARGO_TARGET_DIR", &target)
            .env_remove("CARGO_NET_OFFLINE");
        let printed = if command == "cargo book serve" {
            start_of_server(started)
        } else {
            let output = started.output().expect("it starts");
            let errors = normalized(&output.stderr, &book);
            assert!(output.status.success(), "{command}:\n{errors}");
            output.stdout
        };
        let printed = normalized(&printed, &book);
        let expected = normalized(expected.as_bytes(), &book);
        assert!(
            is_output(&printed, &expected),
            "CONTRIBUTING.md says that `{command}` prints\n{expected}\nbut it printed\n{printed}"
        );
    }
    // What else `cargo book new` writes.
    let twins = ["new", "--wrong", "tasks/my_mistake", "tasks/my_fix"];
    stdout(tool(book.root()).args(twins).output().expect("it starts"));
    let tests = |names: &[&str]| {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo.args(["test", "--quiet"]).current_dir(book.root());
        cargo.args(names.iter().flat_map(|name| ["--bin", name]));
        let output = cargo.env("CARGO_TARGET_DIR", &target).output();
        output.expect("it starts")
    };
    let passed = stdout(tests(&["my_listing", "my_mistake", "my_fix"]));
    assert_eq!(passed.matches("test result: ok").count(), 3, "{passed}");
    let mistake = "listings/tasks/src/bin/my_mistake.rs";
    book.write(mistake, with_fix(&book, mistake));
    let failed = String::from_utf8_lossy(&tests(&["my_mistake"]).stdout).into_owned();
    assert!(failed.contains("test result: FAILED"), "{failed}");
}

/// A program after the one fix in `listings/fixes.toml`, as `cargo book drift` makes it.
fn with_fix(book: &Scratch, file: &str) -> String {
    let fixes: toml::Table = book.read("listings/fixes.toml").parse().expect("TOML");
    let text = |key: &str| fixes["fix"][0][key].as_str().expect("a text").to_owned();
    let program = book.read(file);
    assert_eq!(program.matches(&text("replace")).count(), 1);
    program.replace(&text("replace"), &text("with"))
}

/// What `cargo book serve` prints until it serves the book, at whatever port is free.
fn start_of_server(mut server: Command) -> Vec<u8> {
    server.args(["--port", "0"]).stdout(Stdio::piped());
    let mut server = server.spawn().expect("it starts");
    let pipe = BufReader::new(server.stdout.take().expect("a pipe"));
    let mut printed = String::new();
    for line in pipe.lines().map_while(Result::ok) {
        if let Some((before, after)) = line.split_once("127.0.0.1:") {
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            printed.push_str(&format!("{before}127.0.0.1:3000{after}\n"));
            break;
        }
        printed.push_str(&format!("{line}\n"));
    }
    server.kill().expect("it can be stopped");
    server.wait().expect("it is stopped");
    printed.into_bytes()
}
