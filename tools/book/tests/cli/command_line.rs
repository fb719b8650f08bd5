//! What each command says and does, and what it leaves alone when something is wrong.

use crate::{assert_has, said, stdout, tool};
use expect_test::expect;
use scratch::{PAGE, Scratch, link};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const BAD: &str = "listings/demo/compile_fail/bad.rs";

/// A book in whose part `demo` a page can be added.
fn book_with_part() -> Scratch {
    let book = Scratch::sound();
    book.write("src/demo/index.md", "# Demo\n");
    let summary = "# Summary\n\n- [Page](page.md)\n- [Demo](demo/index.md)\n- [Last](last.md)\n";
    book.write("src/SUMMARY.md", summary);
    book.write("src/last.md", "# Last\n");
    book.write("published.txt", "demo/index.html\nlast.html\npage.html\n");
    book
}

// --- new -------------------------------------------------------------------------------------------

#[test]
fn a_new_listing_is_written_and_named_in_its_manifest() {
    let book = Scratch::sound();
    expect![[r#"
        Edited listings/demo/Cargo.toml
        Edited listings/demo/hazards.toml
        Wrote listings/demo/src/bin/my_listing.rs

        Next:
          cargo run --bin my_listing
          cargo book bless demo/my_listing
          Meet the hazards (CONTRIBUTING.md says how), and remove the listing from `open` in listings/demo/hazards.toml
          cargo book check demo/my_listing

        Paste into a page:

        {{#listing demo/my_listing:pattern}}

        {{#output demo/my_listing}}

        {{#timeline demo/my_listing}}
    "#]]
    .assert_eq(&said(&book, "new demo/my_listing"));
    let bins = "bin = [\n    { name = \"my_listing\", test = false },\n]\n\n[package]\n";
    assert_has(&book.read("listings/demo/Cargo.toml"), bins);
}

#[test]
fn a_new_page_is_written_and_named_wherever_it_must_be() {
    let book = book_with_part();
    let names = "--wrong demo/bug demo/no_bug --page demo/my_page --listing demo/hello";
    let first = said(&book, &format!("new {names}"));
    expect![[r#"
        Edited listings/demo/Cargo.toml
        Edited listings/demo/hazards.toml
        Wrote listings/demo/src/bin/bug.rs
        Wrote listings/demo/src/bin/no_bug.rs
        Edited listings/fixes.toml
        Edited published.txt
        Edited src/SUMMARY.md
        Wrote src/demo/my_page.md

        Next:
          cargo run --bin bug
          cargo run --bin no_bug
          cargo book bless demo/bug demo/no_bug
          Meet the hazards (CONTRIBUTING.md says how), and remove the listing from `open` in listings/demo/hazards.toml
          cargo book check demo/my_page
    "#]]
    .assert_eq(&first);
    said(&book, "new --page demo/a --title Another");
    let pages = "  - [My page](demo/my_page.md)\n  - [Another](demo/a.md)\n- [Last]";
    assert_has(&book.read("src/SUMMARY.md"), pages);
    let published = "demo/a.html\ndemo/index.html\ndemo/my_page.html\nlast.html\n";
    assert_has(&book.read("published.txt"), published);
    let page = book.read("src/demo/my_page.md");
    for part in [
        "# My page\n\n<!-- The symptom",
        "\n\n{{#listing demo/no_bug:pattern}}\n\n{{#output demo/no_bug}}\n\n{{#timeline demo/no_bug}}\n\n\
         {{#listing demo/hello}}\n\n{{#output demo/hello}}\n\n### How it works",
        "\n\n{{#timeline demo/bug}}\n\n## Cancellation\n",
    ] {
        assert_has(&page, part);
    }
}

#[test]
fn new_listings_are_formatted_as_listings_are() {
    let book = Scratch::sound();
    said(&book, "new demo/my_listing");
    said(&book, "new --wrong demo/bug demo/no_bug");
    let style = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../listings/rustfmt.toml");
    let files = ["my_listing", "bug", "no_bug"];
    let files = files.map(|name| book.path(&format!("listings/demo/src/bin/{name}.rs")));
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--check", "--edition", "2024", "--config-path"]);
    let checked = rustfmt.arg(style).args(files).output();
    stdout(checked.expect("rustfmt is installed"));
}

#[test]
fn nothing_is_written_if_a_name_cannot_be_used() {
    let book = book_with_part();
    book.write(BAD, "//! Bad.\nfn main() { 1 }\n");
    let before = book.files_without(&[]);
    let cases = "
        demo/hello | the name `hello` is taken by `demo/hello`; names are unique in the whole book
        demo/bad | the name `bad` is taken by `demo/bad`
        demo/deps | `deps` is reserved by cargo or the book's tools; choose another name
        --wrong demo/same demo/same | the name `same` is taken
        nowhere/x | there is no part `nowhere`; the parts are: demo. A new part is a crate of its own
        --page demo/index | src/demo/index.md exists already
        demo/x --page nowhere/x | src/SUMMARY.md has no page of the part `nowhere`
        --page demo/x --listing demo/none | listings/demo/src/bin/none.rs: there is no
        my_listing | `my_listing` is not the name of a listing; one is written part/name
        demo/ | `demo/` is not the name of a listing
        demo/My | `demo/My` is not the name of a listing
        demo/../../evil | `demo/../../evil` is not the name of a listing
        /etc/evil | `/etc/evil` is not the name of a listing
        demo/a.rs | `demo/a.rs` is not the name of a listing";
    for (arguments, message) in cases
        .lines()
        .filter_map(|line| line.trim().split_once(" | "))
    {
        let text = said(&book, &format!("new {arguments}"));
        assert_has(&text, message);
        assert_has(&text, "\nexit status: ");
    }
    assert_eq!(book.files_without(&[]), before);
}

#[test]
#[cfg_attr(windows, ignore = "Windows does not let everyone make symbolic links")]
fn a_new_listing_is_not_written_through_a_linked_folder() {
    let (book, elsewhere) = (Scratch::sound(), Scratch::sound());
    std::fs::remove_dir_all(book.path("listings/demo/src")).expect("the folder can be removed");
    link(&elsewhere.path("src"), &book.path("listings/demo/src"));
    let before = elsewhere.files_without(&[]);
    assert_has(
        &said(&book, "new demo/my_listing"),
        "is a symbolic link, and nothing is written through one",
    );
    assert_eq!(elsewhere.files_without(&[]), before);
}

// --- check -----------------------------------------------------------------------------------------

#[test]
fn a_sound_page_has_no_problems_whatever_it_is_called() {
    let book = Scratch::sound();
    let page = "no problems (1 page, 1 program checked in N s)\n";
    let listing = "no problems (0 pages, 1 program checked in N s)\n";
    for (name, last) in [
        ("page", page),
        ("src/page.md", page),
        ("demo/hello", listing),
        ("listings/demo/src/bin/hello.out", listing),
    ] {
        let said = said(&book, &format!("check {name}"));
        assert!(said.starts_with(last), "{name}: {said}");
    }
    let all = said(&book, "check");
    assert_has(&all, "(1 page, 0 programs checked in N s)\n");
}

#[test]
fn everything_that_is_wrong_with_a_page_is_said_together() {
    let book = book_with_part();
    book.listing("wrong_output", "println!(\"new\");", "old\n");
    book.listing("broken", "printn!();", "");
    book.listing("unshown", "", "");
    let page = "# Bad\n\n{{#listing demo/wrong_output}}\n{{#output demo/wrong_output}}\n\n[Nowhere](none.md), \
                `Nonexistent`, and 35 ms.\n\n```rust\nlet x = 1;\n```\n\n{{#listing demo/brokn}}\n";
    book.write("src/demo/bad.md", page);
    let found = said(&book, "check demo/bad demo/unshown");
    for part in [
        "src/demo/bad.md: ",
        "src/SUMMARY.md, so no reader finds it",
        "src/demo/bad.md:6: `35 ms",
        "src/demo/bad.md:6: `Nonexistent`",
        "src/demo/bad.md:8: Rust code written by hand",
        "src/demo/bad.md:12: there is no listing `demo/brokn`",
        "listings/demo/src/bin/wrong_output.out:1: ",
        "\n-old\n+new\n",
        "listings/demo/src/bin/unshown.rs: no page shows it",
        "listings/demo/src/bin/unshown.rs: the listing printed nothing",
        " problems (1 page, 2 programs checked in N s)\n",
        "\nexit status: 1\n",
    ] {
        assert_has(&found, part);
    }
    let broken = said(&book, "check demo/broken");
    assert_has(&broken, "error: cannot find macro `printn` in this scope");
    let unknown = said(&book, "check demo/bda");
    assert_has(
        &unknown,
        "error: there is no page or listing `demo/bda`; did you mean `demo/bad`?\n",
    );
    // The other pages' problems aren't this page's.
    book.remove("src/demo/bad.md");
    assert_has(
        &said(&book, "check last"),
        "no problems (1 page, 0 programs",
    );
    assert_has(
        &said(&book, "check"),
        "listings/demo/src/bin/unshown.rs: no page shows it",
    );
}

// --- bless -----------------------------------------------------------------------------------------

#[test]
fn blessing_shows_what_changed() {
    let book = Scratch::sound();
    book.write("listings/demo/src/bin/hello.out", "hullo\n");
    let all = said(&book, "bless");
    let diff = "listings/demo/src/bin/hello.out\n--- the book says\n+++ it printed\n@@ -1 +1 @@\n-hullo\n+hello\n";
    assert_has(&all, &format!("{diff}\n1 file changed.\n"));
    assert_eq!(book.read("listings/demo/src/bin/hello.out"), "hello\n");
    book.write(BAD, "//! Bad.\n\nfn main() {\n    1\n}\n");
    assert_has(
        &said(&book, "bless demo/bad"),
        &format!("+ --> {BAD}:4:5\n"),
    );
    let why = "demo/hello has no timeline: it starts no Tokio runtime, so it has no tasks.\n";
    let again = said(&book, "bless demo/hello");
    assert!(
        again.starts_with(&format!("No file changed.\n{why}")),
        "{again}"
    );
    assert_has(&again, "\nFinished in N s\n");
    assert_has(
        &said(&book, "bless demo/hullo"),
        "error: there is no listing `demo/hullo`: neither listings/demo/src/bin/hullo.rs nor \
         listings/demo/compile_fail/hullo.rs; did you mean `demo/hello`?\n",
    );
}

// --- build -----------------------------------------------------------------------------------------

#[test]
fn the_last_good_site_stays_if_the_book_is_broken() {
    let book = Scratch::sound();
    book.write("src/picture.svg", "<svg/>");
    expect![[r#"
        Built the book in N s: BOOK/book/index.html
        Building the book...
    "#]]
    .assert_eq(&said(&book, "build"));
    assert_has(&book.read("book/page.md"), "```rust\nfn main() {\n");
    assert_has(
        &book.read("book/llms.txt"),
        "- [Page](page.md): A greeting:\n",
    );
    assert_has(
        &book.read("book/llms-full.txt"),
        "**Output** `cargo run --bin hello`",
    );
    assert!(book.path("book/scratch.epub").is_file() && book.path("book/picture.svg").is_file());
    assert!(!book.path("book/scratch.pdf").exists());
    let good = book.files_without(&["src", "target"]);
    book.remove("src/picture.svg");
    book.write(
        "src/page.md",
        "# Page\n\n{{#listing demo/helo}}\n\n{{oops}}\n",
    );
    expect![[r#"
        Building the book...
        error: the book has problems:
        src/page.md:3: there is no listing `demo/helo` (listings/demo/src/bin/helo.rs); did you mean `demo/hello`?
        src/page.md:5: `{{oops}}` is not a directive; one is written {{#name arguments}}, and literal braces belong in a code span
        exit status: 1
    "#]].assert_eq(&said(&book, "build"));
    assert_has(
        &said(&book, "epub"),
        "src/page.md:3: there is no listing `demo/helo`",
    );
    assert!(!book.path("target/export/scratch.epub").exists());
    assert_eq!(book.files_without(&["src", "target"]), good);
    book.write("src/page.md", "# Fixed\n");
    // From a folder inside the book.
    stdout(
        tool(&book.path("listings/demo"))
            .arg("build")
            .output()
            .expect("the tool starts"),
    );
    assert_has(&book.read("book/page.html"), "Fixed");
    assert!(!book.path("book/picture.svg").exists() && !book.path("target/book/old").exists());
}

#[test]
fn outside_of_a_book_it_says_where_to_go() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for command in [
        &["build"][..],
        &["serve", "--port", "0"],
        &["bless"],
        &["check"],
        &["new", "demo/x"],
    ] {
        let output = tool(folder.path())
            .args(command)
            .output()
            .expect("the tool starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && errors.starts_with("error: neither "),
            "{errors}"
        );
        assert_has(
            &errors,
            "has a book.toml; run this inside the book's repository",
        );
    }
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
    assert_eq!(said(&book, "preprocessor supports epub"), "");
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

// --- epub and pdf ----------------------------------------------------------------------------------

#[test]
fn an_epub_is_written_where_it_says() {
    let book = Scratch::sound();
    let printed = said(&book, "epub");
    assert!(
        printed.starts_with("Wrote BOOK/target/export/scratch.epub ("),
        "{printed}"
    );
    said(&book, "epub --to elsewhere/my.epub");
    for file in ["target/export/scratch.epub", "elsewhere/my.epub"] {
        let bytes = std::fs::read(book.path(file)).expect("it is there");
        assert!(bytes.starts_with(b"PK"), "{file}");
    }
    assert!(!book.path("book").exists(), "the site is left alone");
}

#[test]
fn without_chromium_it_says_what_to_install() {
    let book = Scratch::sound();
    for arguments in [&["pdf"][..], &["build", "--pdf"]] {
        let mut pdf = tool(book.root());
        pdf.args(arguments).env("CHROME", "/no/such/program");
        let output = pdf.output().expect("the tool starts");
        assert!(!output.status.success());
        assert_has(
            &String::from_utf8_lossy(&output.stderr),
            "apt-get install chromium",
        );
        assert!(!book.path("book").exists(), "nothing was built");
    }
}
