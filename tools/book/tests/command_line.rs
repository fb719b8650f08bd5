//! What `cargo book` says and does, and what it leaves alone when something is wrong.

use scratch::{HELLO, Scratch, link};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_book"));
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        // The scratch books' packages share a name: each builds into its own folder.
        .env("CARGO_TARGET_DIR", "target")
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("RUST_BACKTRACE");
    command
}

fn book(book: &Scratch, arguments: &[&str]) -> Output {
    let output = command(book.root()).args(arguments).output();
    output.expect("the tool starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).replace("\r\n", "\n")
}

/// What a command prints that succeeds.
#[track_caller]
fn printed(book_: &Scratch, arguments: &[&str]) -> String {
    let output = book(book_, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}:\n{}",
        stderr(&output)
    );
    stdout(&output)
}

/// What a command says that fails.
#[track_caller]
fn refused(book_: &Scratch, arguments: &[&str]) -> String {
    let output = book(book_, arguments);
    assert!(
        !output.status.success(),
        "{arguments:?}:\n{}",
        stdout(&output)
    );
    stderr(&output)
}

#[track_caller]
fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is missing in:\n{text}");
}

// --- new -------------------------------------------------------------------------------------------

const NEW: &str = "listings/demo/src/bin/my_listing.rs";

#[test]
fn a_new_listing_is_written_and_the_lines_to_paste_are_printed() {
    let book = Scratch::sound();
    assert_eq!(
        printed(&book, &["new", "demo/my_listing"]),
        "Wrote listings/demo/src/bin/my_listing.rs\n\
         \n\
         1. Let it show one idea: cargo run --bin my_listing\n\
         2. Accept its output:    cargo book bless demo/my_listing\n\
         3. Paste into a page:\n\
         \n\
         {{#listing demo/my_listing:pattern}}\n\
         {{#output demo/my_listing}}\n\
         {{#timeline demo/my_listing}}\n\n"
    );
    assert!(book.read(NEW).starts_with("//! "));
}

#[test]
fn a_new_listing_is_formatted_as_listings_are() {
    let book = Scratch::sound();
    printed(&book, &["new", "demo/my_listing"]);
    let style = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../listings/rustfmt.toml");
    let output = Command::new("rustfmt")
        .args(["--check", "--edition", "2024", "--config-path"])
        .arg(style)
        .arg(book.path(NEW))
        .output()
        .expect("rustfmt is installed");
    assert!(
        output.status.success(),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
}

/// The whole way of a listing onto a page, with a target folder elsewhere.
#[test]
fn a_new_listing_compiles_runs_and_is_shown_as_it_is() {
    let book = Scratch::sound();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).expect("a lock file");
    book.write("Cargo.lock", lock);
    book.write(
        "listings/demo/Cargo.toml",
        book.read("listings/demo/Cargo.toml")
            + "tokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\", \"test-util\", \"time\"] }\n",
    );
    let pasted = printed(&book, &["new", "demo/my_listing"]);
    let directives: String = pasted
        .lines()
        .filter(|line| line.starts_with("{{"))
        .map(|line| format!("{line}\n"))
        .collect();
    book.write("src/page.md", format!("# Page\n\n{directives}"));
    book.write(
        "listings/demo/compile_fail/bad.rs",
        "//! Bad.\n\nfn main() {\n    1\n}\n",
    );

    // Kept from run to run, so that tokio is built once.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-listing");
    let bless = |listing: &str| {
        let output = command(book.root())
            .args(["bless", listing])
            .env("CARGO_TARGET_DIR", &target)
            .output();
        let output = output.expect("the tool starts");
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let blessed = bless("demo/my_listing");
    assert_has(&blessed, "listings/demo/src/bin/my_listing.out\n");
    assert_has(&blessed, "+ 100 ms  invoice 7 settled\n");
    assert_has(&blessed, "listings/demo/src/bin/my_listing.timeline.json\n");
    assert_has(&blessed, "\n2 files changed.\n");
    assert_eq!(bless("demo/my_listing"), "No file changed.\n");
    assert_has(
        &bless("demo/bad"),
        "+ --> listings/demo/compile_fail/bad.rs:4:5\n",
    );
    assert!(
        !book.path("target").exists(),
        "everything was built in the other folder"
    );

    let tests = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["test", "--quiet", "--offline", "--bin", "my_listing"])
        .current_dir(book.root())
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .expect("cargo starts");
    assert!(
        tests.status.success(),
        "{}{}",
        stdout(&tests),
        stderr(&tests)
    );
    assert_has(&stdout(&tests), "2 passed");

    printed(&book, &["build"]);
    let html = book.read("book/page.html");
    assert_has(&html, "async fn settle(invoice: u32) -&gt; u32 {");
    assert_has(&html, " 100 ms  invoice 7 settled\n");
}

#[test]
fn a_new_listing_needs_a_name_of_its_own() {
    let book = Scratch::sound();
    book.write(
        "listings/demo/compile_fail/bad.rs",
        "//! Bad.\nfn main() { 1 }\n",
    );
    let told = refused(&book, &["new", "demo/hello"]);
    assert_eq!(
        told,
        "error: the name `hello` is taken by `demo/hello`; names are unique in the whole book\n"
    );
    assert_eq!(book.read("listings/demo/src/bin/hello.rs"), HELLO);
    assert_has(
        &refused(&book, &["new", "demo/bad"]),
        "the name `bad` is taken by `demo/bad`",
    );
    for reserved in ["build", "deps", "book"] {
        let told = refused(&book, &["new", &format!("demo/{reserved}")]);
        assert_has(
            &told,
            &format!("error: `{reserved}` cannot be the name of a program"),
        );
    }
}

#[test]
fn a_new_listing_needs_a_part_that_is_there() {
    let book = Scratch::sound();
    let before = book.files_without(&[]);
    assert_eq!(
        refused(&book, &["new", "nowhere/my_listing"]),
        "error: there is no part `nowhere`; there are: demo. A new part is a crate of its own: see CONTRIBUTING.md\n"
    );
    assert_eq!(book.files_without(&[]), before);
}

#[test]
fn a_new_listing_needs_a_name_that_is_a_word() {
    let book = Scratch::sound();
    let before = book.files_without(&[]);
    for name in [
        "my_listing",
        "demo/",
        "demo/My",
        "demo/../../evil",
        "/etc/evil",
        "demo/a.rs",
        "demo/a b",
        "demo/",
    ] {
        assert_has(
            &refused(&book, &["new", name]),
            &format!("`{name}` is not the name of a listing; one is written part/name"),
        );
    }
    assert_eq!(book.files_without(&[]), before);
}

#[test]
#[cfg_attr(windows, ignore = "Windows does not let everyone make symbolic links")]
fn a_new_listing_is_not_written_through_a_linked_folder() {
    let (book, elsewhere) = (Scratch::sound(), Scratch::sound());
    std::fs::remove_dir_all(book.path("listings/demo/src")).expect("the folder goes");
    link(&elsewhere.path("src"), &book.path("listings/demo/src"));
    let before = elsewhere.files_without(&[]);
    assert_has(
        &refused(&book, &["new", "demo/my_listing"]),
        "is a symbolic link, and nothing is written through one",
    );
    assert_eq!(elsewhere.files_without(&[]), before);
    assert!(!elsewhere.path("src/bin").exists());
}

// --- bless -----------------------------------------------------------------------------------------

#[test]
fn blessing_shows_what_changed() {
    let book = Scratch::sound();
    book.write("listings/demo/src/bin/hello.out", "hullo\n");
    let told = printed(&book, &["bless"]);
    assert_has(&told, "listings/demo/src/bin/hello.out\n");
    assert_has(&told, "\n-hullo\n+hello\n");
    assert_has(&told, "\n1 file changed.\n");
    assert_eq!(book.read("listings/demo/src/bin/hello.out"), "hello\n");
    assert_eq!(printed(&book, &["bless"]), "No file changed.\n");
    assert_eq!(
        printed(&book, &["bless", "demo/hello"]),
        "No file changed.\n\
         demo/hello has no timeline: it starts no Tokio runtime, so no task moves.\n"
    );
}

#[test]
fn blessing_what_is_not_there_is_refused() {
    let book = Scratch::sound();
    assert_eq!(
        refused(&book, &["bless", "demo/none"]),
        "error: there is no listing `demo/none`: neither listings/demo/src/bin/none.rs nor \
         listings/demo/compile_fail/none.rs\n"
    );
}

// --- build -----------------------------------------------------------------------------------------

#[test]
fn a_broken_book_is_told_and_the_last_good_one_stays() {
    let book = Scratch::sound();
    let told = printed(&book, &["build"]);
    assert!(told.starts_with("Built the book in "), "{told}");
    assert_has(&told, "index.html");
    let good = book.files_without(&["src", "target"]);
    book.write(
        "src/page.md",
        "# Page\n\n{{#listing demo/helo}}\n\n{{oops}}\n",
    );
    assert_eq!(
        refused(&book, &["build"]),
        "error: the book has problems:\n\
         src/page.md:3: there is no listing `demo/helo` (listings/demo/src/bin/helo.rs); did you mean `demo/hello`?\n\
         src/page.md:5: `{{oops}}` is not a directive; one is written {{#name arguments}}, and literal braces \
         belong in a code span\n"
    );
    assert_eq!(book.files_without(&["src", "target"]), good);
    book.write("src/page.md", "# Mended\n");
    printed(&book, &["build"]);
    assert_has(&book.read("book/page.html"), "Mended");
    assert!(!book.path("target/book/old").exists());
}

#[test]
fn a_file_that_is_no_page_any_more_goes_from_the_site() {
    let book = Scratch::sound();
    book.write("src/picture.svg", "<svg/>");
    printed(&book, &["build"]);
    assert!(book.path("book/picture.svg").is_file());
    book.remove("src/picture.svg");
    printed(&book, &["build"]);
    assert!(!book.path("book/picture.svg").exists());
}

#[test]
fn outside_of_a_book_it_says_where_to_go() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for arguments in [
        &["build"][..],
        &["serve", "--port", "0"],
        &["bless"],
        &["new", "demo/my_listing"],
    ] {
        let output = command(folder.path())
            .args(arguments)
            .output()
            .expect("the tool starts");
        assert!(!output.status.success());
        let told = stderr(&output);
        assert!(told.starts_with("error: neither "), "{told}");
        assert_has(
            &told,
            "has a book.toml; run this inside the book's repository",
        );
    }
}

#[test]
fn it_works_from_a_folder_inside_the_book() {
    let book = Scratch::sound();
    let output = command(&book.path("listings/demo"))
        .arg("build")
        .output()
        .expect("the tool starts");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(book.path("book/index.html").is_file());
}

// --- preprocessor ----------------------------------------------------------------------------------

/// What the stock `mdbook` sends for a book of one page.
fn from_mdbook(book: &Scratch, page: &str) -> String {
    let root = json_string(&book.root().to_string_lossy());
    let page = json_string(page);
    format!(
        r#"[{{"root":{root},"config":{{"book":{{"src":"src"}},"output":{{"html":{{}}}}}},"renderer":"html","mdbook_version":"0.5.4"}},
           {{"items":[{{"Chapter":{{"name":"Page","content":{page},"number":null,"sub_items":[],
             "path":"page.md","source_path":"page.md","parent_names":[]}}}}]}}]"#
    )
}

fn json_string(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

fn preprocess(book: &Scratch, input: &str) -> Output {
    let mut child = command(book.root())
        .arg("preprocessor")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input.as_bytes()).expect("it reads");
    drop(pipe);
    child.wait_with_output().expect("it ends")
}

#[test]
fn it_serves_the_stock_mdbook() {
    let book = Scratch::sound();
    printed(&book, &["preprocessor", "supports", "html"]);
    printed(&book, &["preprocessor", "supports", "epub"]);
    let output = preprocess(&book, &from_mdbook(&book, scratch::PAGE));
    assert!(output.status.success(), "{}", stderr(&output));
    let answer = stdout(&output);
    assert_has(
        &answer,
        "{\"items\":[{\"Chapter\":{\"name\":\"Page\",\"content\":\"# Page\\n\\nA greeting:\\n\\n<figure ",
    );
    assert_has(&answer, "```rust\\n");
    assert_has(&answer, "    println!(\\\"hello\\\");\\n");
    assert!(!answer.contains("{{#"), "{answer}");
}

#[test]
fn it_tells_the_stock_mdbook_what_is_wrong() {
    let book = Scratch::sound();
    let output = preprocess(
        &book,
        &from_mdbook(&book, "# Page\n\n{{#lsting demo/hello}}\n"),
    );
    assert!(!output.status.success());
    assert_eq!(stdout(&output), "");
    assert_eq!(
        stderr(&output),
        "error: the book has problems:\n\
         src/page.md:3: `{{#lsting}}` is not a directive; did you mean `listing`?\n"
    );
    let output = preprocess(&book, "no JSON");
    assert!(!output.status.success());
    assert!(
        stderr(&output).starts_with("error: "),
        "{}",
        stderr(&output)
    );
}

// --- epub and pdf ----------------------------------------------------------------------------------

#[test]
fn an_epub_is_written_where_it_says() {
    let book = Scratch::sound();
    let told = printed(&book, &["epub"]);
    assert_has(&told, "Building the pages...\nPacking 1 pages...\nWrote ");
    let epub = book.path("target/export/scratch.epub");
    assert_has(&told, &format!("{} (", epub.display()));
    let bytes = std::fs::read(&epub).expect("it is there");
    assert!(bytes.starts_with(b"PK"));
    printed(&book, &["epub", "--to", "elsewhere/my.epub"]);
    let other = std::fs::read(book.path("elsewhere/my.epub")).expect("it is there");
    assert!(other.starts_with(b"PK"));
    assert!(!book.path("book").exists(), "the site is left alone");
}

#[test]
fn a_site_has_its_markdown_and_its_epub() {
    let book = Scratch::sound();
    printed(&book, &["build"]);
    assert_has(&book.read("book/page.md"), "```rust\nfn main() {\n");
    assert_has(
        &book.read("book/llms.txt"),
        "- [Page](page.md): A greeting:\n",
    );
    assert_has(
        &book.read("book/llms-full.txt"),
        "**Output** `cargo run --bin hello`",
    );
    assert!(book.path("book/scratch.epub").is_file());
    assert!(!book.path("book/scratch.pdf").exists());
}

#[test]
fn without_chromium_it_says_what_to_install() {
    let book = Scratch::sound();
    for arguments in [&["pdf"][..], &["build", "--pdf"]] {
        let output = command(book.root())
            .args(arguments)
            .env("CHROME", "/no/such/program")
            .output()
            .expect("the tool starts");
        assert!(!output.status.success());
        assert_eq!(
            stderr(&output),
            "error: the PDF is printed by Chromium, and CHROME names /no/such/program, which is not there; on \
             Debian and Ubuntu: apt-get install chromium; elsewhere install Chromium or Chrome, and name its \
             program in the environment variable CHROME\n"
        );
        assert!(!book.path("book").exists(), "nothing was built");
    }
}

#[test]
fn a_broken_book_takes_no_other_form() {
    let book = Scratch::sound();
    book.write("src/page.md", "# Page\n\n{{#listing demo/helo}}\n");
    assert_has(
        &refused(&book, &["epub"]),
        "src/page.md:3: there is no listing `demo/helo`",
    );
    assert!(!book.path("target/export/scratch.epub").exists());
}
