//! `cargo book` as a user meets it: what it prints, what it writes, and what it serves.

mod command_line;
mod serving;
mod walkthrough;

use regex::Regex;
use scratch::Scratch;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

/// The tool, to be started in a folder.
fn tool(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_book"));
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        // The packages of scratch books share a name, so each book builds into its own folder.
        .env("CARGO_TARGET_DIR", "target")
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("RUST_BACKTRACE");
    command
}

/// Everything that a command prints in a folder of the book, and its exit status if it fails. There is no Chromium.
fn said(book: &Scratch, folder: &str, arguments: &str) -> String {
    let mut tool = tool(&book.path(folder));
    tool.env("CHROME", "/no/such/program");
    let output = tool.args(arguments.split(' ')).output();
    let output = output.expect("the tool starts");
    let mut text = normalized(&output.stdout, book) + &normalized(&output.stderr, book);
    if !output.status.success() {
        text.push_str(&format!("{}\n", output.status));
    }
    text
}

/// What a command that succeeds prints on standard output.
#[track_caller]
fn stdout(output: Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    text
}

/// Without what differs from run to run: the book's folder, times, and the progress of slow machines.
fn normalized(bytes: &[u8], book: &Scratch) -> String {
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\d+\.\d s\b").expect("a constant expression"));
    static PROGRESS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)^  \d+ of \d+: .*\n").expect("a constant expression"));
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let text = text.replace(&*book.root().to_string_lossy(), "BOOK");
    PROGRESS
        .replace_all(&TIME.replace_all(&text, "N s"), "")
        .into_owned()
}

/// Whether an output is as expected, in which a line `...` stands for any lines, and `[..]` for anything in a line.
fn is_output(text: &str, expected: &str) -> bool {
    let mut pattern = String::from("^");
    for line in expected.trim_end().lines() {
        pattern.push_str(&match line {
            "..." => "(?s:.*\n)?".to_owned(),
            line => regex::escape(line).replace(r"\[\.\.\]", ".*") + "\n",
        });
    }
    let pattern = Regex::new(&(pattern + "$")).expect("a text is a pattern");
    pattern.is_match(&format!("{}\n", text.trim_end()))
}

#[test]
fn dots_stand_for_any_lines() {
    assert!(is_output("a\nb\nc\nd\n", "a\n...\nd\n"));
    assert!(is_output("b\nc\nd\n", "...\n[..]d\n"));
    assert!(!is_output("a\nb\n", "a\n...\nd\n"));
    assert!(!is_output("a\nb\n", "a\n"));
}
