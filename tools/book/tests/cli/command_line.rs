//! What each command says and does, and what it leaves alone when something is wrong. Most of it is in `sessions.txt`.

use crate::{is_output, said, stdout, tool};
use expect_test::expect;
use scratch::{PAGE, Scratch, assert_has, cases, link, write_section};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Sections of `sessions.txt`: `$ build` runs `cargo book build`, whose words follow, and `listings/demo$ build` does in a
/// folder; `cat FILE` shows a file, and `starts FILE` its first two bytes.
#[test]
fn each_session_is_as_written() {
    for case in cases(include_str!("sessions.txt")) {
        let book = Scratch::sound();
        for (section, expected) in case.sections() {
            if write_section(&book, section, expected) {
                continue;
            }
            let before = book.files_without(&["target"]);
            let found = match section.split_once(' ') {
                Some(("$", arguments)) => said(&book, ".", arguments),
                Some((folder, arguments)) if section.starts_with("listings") => {
                    said(&book, folder.trim_end_matches('$'), arguments)
                }
                Some(("cat", file)) => book.read(file),
                Some(("starts", file)) => {
                    let bytes = std::fs::read(book.path(file)).expect("it is there");
                    String::from_utf8_lossy(&bytes[..2]).into_owned()
                }
                Some(("exists", file)) => book.path(file).exists().to_string(),
                _ => panic!("`{section}` is no step of a session"),
            };
            assert!(
                is_output(&found, expected),
                "{}: `{section}`:\n{found}",
                case.name
            );
            if found.contains("\nexit status: ") {
                assert_eq!(book.files_without(&["target"]), before, "{section}");
            }
        }
    }
}

// --- new -------------------------------------------------------------------------------------------

#[test]
fn new_listings_are_formatted_as_listings_are() {
    let book = Scratch::sound();
    said(&book, ".", "new demo/my_listing");
    said(&book, ".", "new --wrong demo/bug demo/no_bug");
    let style = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../listings/rustfmt.toml");
    let files = ["my_listing", "bug", "no_bug"];
    let files = files.map(|name| book.path(&format!("listings/demo/src/bin/{name}.rs")));
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--check", "--edition", "2024", "--config-path"]);
    let checked = rustfmt.arg(style).args(files).output();
    stdout(checked.expect("rustfmt is installed"));
}

#[test]
#[cfg_attr(windows, ignore = "Windows does not let everyone make symbolic links")]
fn a_new_listing_is_not_written_through_a_linked_folder() {
    let (book, elsewhere) = (Scratch::sound(), Scratch::sound());
    std::fs::remove_dir_all(book.path("listings/demo/src")).expect("the folder can be removed");
    link(&elsewhere.path("src"), &book.path("listings/demo/src"));
    let before = elsewhere.files_without(&[]);
    assert_has(
        &said(&book, ".", "new demo/my_listing"),
        "is a symbolic link, and nothing is written through one",
    );
    assert_eq!(elsewhere.files_without(&[]), before);
}

// --- preprocessor ----------------------------------------------------------------------------------

/// Hands a book of one page to the preprocessor, as the stock `mdbook` does.
fn preprocess(book: &Scratch, page: &str) -> Output {
    let mut child = tool(book.root())
        .arg("preprocessor")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let input = format!(
        r#"[{{"root":{:?},"config":{{"book":{{"src":"src"}},"output":{{"html":{{}}}}}},"renderer":"html","mdbook_version":"0.5.4"}},
           {{"items":[{{"Chapter":{{"name":"Page","content":{page:?},"number":null,"sub_items":[],
             "path":"page.md","source_path":"page.md","parent_names":[]}}}}]}}]"#,
        book.root()
    );
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input.as_bytes()).expect("it reads");
    drop(pipe);
    child.wait_with_output().expect("it exits")
}

#[test]
fn it_is_a_preprocessor_of_the_stock_mdbook() {
    let book = Scratch::sound();
    assert_eq!(said(&book, ".", "preprocessor supports epub"), "");
    let answer = stdout(preprocess(&book, PAGE));
    let start = "{\"items\":[{\"Chapter\":{\"name\":\"Page\",\"content\":\"# Page\\n\\nA greeting:\\n\\n<figure ";
    for part in [start, "```rust\\n", "    println!(\\\"hello\\\");\\n"] {
        assert_has(&answer, part);
    }
    assert!(!answer.contains("{{#"), "{answer}");
    let broken = preprocess(&book, "# Page\n\n{{#lsting demo/hello}}\n");
    assert!(!broken.status.success() && broken.stdout.is_empty());
    expect![[r#"
        error: the book has problems:
        src/page.md:3: `{{#lsting}}` is not a directive; did you mean `listing`?
    "#]]
    .assert_eq(&String::from_utf8_lossy(&broken.stderr));
    let mut no_json = tool(book.root());
    let no_json = no_json
        .arg("preprocessor")
        .output()
        .expect("the tool starts");
    assert!(!no_json.status.success() && no_json.stderr.starts_with(b"error: "));
}
