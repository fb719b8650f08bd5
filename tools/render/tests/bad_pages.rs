//! What a page or a listing can have wrong is reported with its file and line, all of it together, and what
//! a page shows is the program to the letter.

use model::{Problems, ProgramId, Project};
use render::site;
use scratch::{HELLO, PAGE, Scratch};
use std::collections::BTreeMap;

const LISTING: &str = "listings/demo/src/bin/hello.rs";
const OUTPUT: &str = "listings/demo/src/bin/hello.out";

fn project(book: &Scratch) -> Project {
    Project::open(book.root()).expect("a book")
}

/// What the build says is wrong with the book.
fn problems(book: &Scratch) -> Vec<String> {
    let error = site::build(&project(book), &book.path("built")).expect_err("the book is broken");
    match error.downcast_ref::<Problems>() {
        Some(problems) => problems.iter().map(ToString::to_string).collect(),
        None => panic!("not a list of problems: {error:#}"),
    }
}

/// A sound book whose page is this text, line 1 being its heading.
fn with_page(text: &str) -> Scratch {
    let book = Scratch::sound();
    book.write("src/page.md", text);
    book
}

/// The one problem of a book whose page has this line as its third.
fn problem_with_line(line: &str) -> String {
    only(problems(&with_page(&format!("# Page\n\n{line}\n"))))
}

fn only(problems: Vec<String>) -> String {
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().expect("there is one")
}

/// The page `src/page.md` as a reader gets it.
fn html(book: &Scratch) -> String {
    html_of(book, &project(book))
}

fn html_of(book: &Scratch, project: &Project) -> String {
    site::build(project, &book.path("built")).expect("the book builds");
    book.read("built/page.html")
}

#[track_caller]
fn assert_starts(text: &str, start: &str) {
    assert!(text.starts_with(start), "{text}");
}

#[track_caller]
fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is missing in:\n{text}");
}

// --- Pages -----------------------------------------------------------------------------------------

#[test]
fn a_page_that_is_not_utf_8_is_reported_with_its_line() {
    let book = Scratch::sound();
    book.write("src/page.md", b"# Page\n\nA caf\xe9.\n");
    assert_eq!(
        problems(&book),
        ["src/page.md:3: is not UTF-8 from here on; save the file as UTF-8"]
    );
}

/// Lines of a page, and how the problem that is reported there begins.
const BAD_LINES: &[(&str, &str)] = &[
    // Directives.
    (
        "{{#lsting demo/hello}}",
        "`{{#lsting}}` is not a directive; did you mean `listing`?",
    ),
    (
        "{{#zzz demo/hello}}",
        "`{{#zzz}}` is not a directive; there are {{#listing part/name}} or {{#listing part/name:anchor}}, ",
    ),
    (
        "{{#include a.rs}}",
        "`{{#include}}` is not a directive; code comes onto a page with {{#listing part/name}}",
    ),
    (
        "{{#rustdoc_include a.rs}}",
        "`{{#rustdoc_include}}` is not a directive; code comes onto a page with {{#listing part/name}}",
    ),
    (
        "{{#playground a.rs}}",
        "`{{#playground}}` is not a directive; code comes onto a page with {{#listing part/name}}",
    ),
    (
        "{{listing demo/hello}}",
        "`{{listing demo/hello}}` is not a directive; one is written",
    ),
    (
        "{{ #listing demo/hello}}",
        "`{{ #listing demo/hello}}` is not a directive; one is written",
    ),
    (
        "{#listing demo/hello}",
        "`{#listing demo/hello}` is not a directive; one is written",
    ),
    (
        "{{#listing demo/hello}",
        "`{{#listing demo/hello}` is not closed: `}}` is missing on this line",
    ),
    (
        "{{#listing demo/hello\n}}",
        "`{{#listing demo/hello` is not closed",
    ),
    (
        "{{#output}}",
        "`{{#output}}` does not say of what; write {{#output part/name}}",
    ),
    (
        "{{#index letters}}",
        "there is no index of `letters`; there are messages, apis a-z, search",
    ),
    (
        "{{#index apis A-Z}}",
        "`A-Z` does not say which letters; write a-i, or a-z for all",
    ),
    (
        "{{#count page}}",
        "nothing called `page` is counted; there are pages, blocks",
    ),
    // What they name.
    (
        "{{#listing demo/helo}}",
        "there is no listing `demo/helo` (listings/demo/src/bin/helo.rs); did you mean `demo/hello`?",
    ),
    (
        "{{#output xyzzy/quux}}",
        "there is no listing `xyzzy/quux` (listings/xyzzy/src/bin/quux.rs); `cargo book new xyzzy/quux` makes one",
    ),
    (
        "{{#compile_fail demo/hello}}",
        "there is no listing `demo/hello` (listings/demo/compile_fail/hello.rs); write it there",
    ),
    (
        "{{#unstable demo/hello}}",
        "there is no listing `demo/hello` (listings/demo/unstable/hello.rs); write it there",
    ),
    ("{{#listing demo}}", "`demo` is not the name of a listing"),
    (
        "{{#listing ../demo/hello}}",
        "`../demo/hello` is not the name of a listing",
    ),
    (
        "{{#listing demo/../hello}}",
        "`demo/../hello` is not the name of a listing",
    ),
    (
        "{{#listing demo/hello.rs}}",
        "`demo/hello.rs` is not the name of a listing",
    ),
    (
        "{{#listing /demo/hello}}",
        "`/demo/hello` is not the name of a listing",
    ),
    (
        "{{#listing Demo/Hello}}",
        "`Demo/Hello` is not the name of a listing",
    ),
    (
        "{{#listing demo/hello:}}",
        "`demo/hello:` ends in a colon without an anchor behind it",
    ),
    (
        "{{#listing demo/hello:bodi}}",
        "listings/demo/src/bin/hello.rs: there is no anchor `bodi`; it has none",
    ),
    (
        "{{#manifest dmeo}}",
        "there is no part `dmeo` under listings/; there are: demo, and `all` for the manifest of all",
    ),
    (
        "{{#version tokyo}}",
        "Cargo.lock: none of the book's crates depends on `tokyo`, so it has no version to show",
    ),
    (
        "{{#timeline demo/hello}}",
        "listings/demo/src/bin/hello.timeline.json is missing, so there is no run to draw; `cargo book bless demo/hello` records it, or says why it cannot",
    ),
    (
        "{{#timeline demo/helo}}",
        "there is no listing `demo/helo` (listings/demo/src/bin/helo.rs); did you mean `demo/hello`?",
    ),
    // Code.
    (
        "```rust\nfn main() {}\n```",
        "Rust code written by hand is not compiled; make it a listing: `cargo book new part/name`",
    ),
    (
        "```rs,ignore\nfn main() {}\n```",
        "Rust code written by hand is not compiled",
    ),
    (
        "~~~rust,no_run\nfn main() {}\n~~~",
        "Rust code written by hand is not compiled",
    ),
    (
        "    fn main() {}",
        "indented code is not checked by anything",
    ),
];

#[test]
fn what_is_wrong_on_a_line_is_reported_there() {
    for (line, problem) in BAD_LINES {
        assert_starts(
            &problem_with_line(line),
            &format!("src/page.md:3: {problem}"),
        );
    }
}

#[test]
fn a_block_directive_must_stand_alone_on_its_line() {
    for place in [
        "See {{#listing demo/hello}}",
        "{{#listing demo/hello}} shows it",
        "- {{#listing demo/hello}}",
        "- a\n\n  {{#listing demo/hello}}",
        "> {{#listing demo/hello}}",
        "| a |\n|---|\n| {{#listing demo/hello}} |",
        "# {{#listing demo/hello}}",
    ] {
        let line = 2 + place.lines().count();
        let problem =
            format!("src/page.md:{line}: `{{{{#listing}}}}` must stand alone on its line");
        assert_starts(&problem_with_line(place), &problem);
    }
}

#[test]
fn an_api_that_is_not_in_the_map_is_reported_with_the_one_that_was_meant() {
    let book = with_page("# Page\n\n[`Vec`] and\n[`Vec::psuh`].\n");
    book.write(
        model::api::MAP,
        "[std]\n\"Vec\" = \"alloc/vec/struct.Vec.html\"\n\"Vec::push\" = \"x.html\"\n",
    );
    let report = only(problems(&book));
    assert_starts(
        &report,
        "src/page.md:4: `Vec::psuh` is no API whose documentation is known. Did you mean `Vec::push`? If it \
         exists, `cargo book bless --api-links` finds it",
    );
}

#[test]
fn an_api_in_the_map_becomes_a_link() {
    let book = with_page("# Page\n\nA [`Vec`], [growable][std::vec::Vec].\n");
    book.write(
        model::api::MAP,
        "[std]\n\"Vec\" = \"alloc/vec/struct.Vec.html\"\n\"std::vec::Vec\" = \"alloc/vec/struct.Vec.html\"\n",
    );
    let to = "https://doc.rust-lang.org/1.95.0/alloc/vec/struct.Vec.html";
    let html = html(&book);
    assert_has(&html, &format!("<a href=\"{to}\"><code>Vec</code></a>"));
    assert_has(&html, &format!("<a href=\"{to}\">growable</a>"));
}

#[test]
fn a_directive_in_code_is_left_alone() {
    let book = with_page(
        "# Page\n\nWrite `{{#listing a/b}}` or \\{{#output a/b}}.\n\n```console\n$ {{#listing c/d}}\n$ {{oops\n```\n",
    );
    let html = html(&book);
    assert_has(&html, "<code>{{#listing a/b}}</code> or {{#output a/b}}.");
    assert_has(&html, "$ {{#listing c/d}}\n$ {{oops\n");
    assert!(rust_blocks(&html).is_empty());
}

#[test]
fn several_problems_on_several_pages_are_reported_at_once_in_order() {
    let book = Scratch::sound();
    book.write(
        "src/SUMMARY.md",
        "# Summary\n\n- [Page](page.md)\n- [Other](other.md)\n- [Bytes](bytes.md)\n- [Gone](gone.md)\n",
    );
    book.write(
        "src/page.md",
        "# Page\n\n{{#listing demo/none}}\n\n{{#output demo/none}}\n",
    );
    book.write("src/other.md", "# Other\n\n{{oops}}\n\n```rust\n```\n");
    book.write("src/bytes.md", b"\xff\n");
    let found = problems(&book);
    let places: Vec<_> = found
        .iter()
        .map(|report| report.split(": ").next().expect("a place"))
        .collect();
    assert_eq!(
        places,
        [
            "src/SUMMARY.md:6",
            "src/bytes.md:1",
            "src/other.md:3",
            "src/other.md:5",
            "src/page.md:3",
            "src/page.md:5",
        ]
    );
}

// --- The table of contents -------------------------------------------------------------------------

#[test]
fn a_page_in_the_table_of_contents_that_is_not_there_is_reported() {
    let book = Scratch::sound();
    book.write(
        "src/SUMMARY.md",
        "# Summary\n\n- [Page](page.md)\n- [Gone](part/gone.md)\n",
    );
    assert_eq!(
        problems(&book),
        ["src/SUMMARY.md:4: the page src/part/gone.md: there is no such file"]
    );
}

#[test]
fn a_chapter_without_a_page_is_reported() {
    let book = Scratch::sound();
    book.write(
        "src/SUMMARY.md",
        "# Summary\n\n- [Page](page.md)\n- [Later]()\n",
    );
    let report = only(problems(&book));
    assert_starts(&report, "src/SUMMARY.md:4: this chapter has no page yet");
}

#[test]
fn a_page_outside_of_src_is_refused() {
    let book = Scratch::sound();
    book.write("notes.md", "# Notes\n");
    book.write(
        "src/SUMMARY.md",
        "# Summary\n\n- [Page](page.md)\n- [Notes](../notes.md)\n",
    );
    assert_eq!(
        problems(&book),
        ["src/SUMMARY.md:4: the page src/../notes.md: lies outside src/; move it there"]
    );
}

#[test]
fn a_table_of_contents_that_mdbook_cannot_read_is_reported_with_its_line() {
    let book = Scratch::sound();
    book.write(
        "src/SUMMARY.md",
        "# Summary\n\n- [Page](page.md)\n- no link\n",
    );
    let error = site::build(&project(&book), &book.path("built")).expect_err("the book is broken");
    assert_has(&format!("{error:#}"), "SUMMARY.md line 4");
}

#[test]
fn a_book_without_a_table_of_contents_is_reported() {
    let book = Scratch::sound();
    book.remove("src/SUMMARY.md");
    let error = site::build(&project(&book), &book.path("built")).expect_err("the book is broken");
    assert_eq!(
        format!("{error:#}"),
        "src/SUMMARY.md: there is no such file"
    );
}

// --- Listings --------------------------------------------------------------------------------------

/// The one problem of a book whose listing is this program, where the page shows this cut of it.
fn problem_with_listing(program: &str, cut: &str) -> String {
    let book = with_page(&format!("# Page\n\n{{{{#listing {cut}}}}}\n"));
    book.write(LISTING, program);
    only(problems(&book))
}

#[test]
fn what_is_wrong_in_a_listing_is_reported_with_page_and_listing() {
    let anchored = |body: &str| format!("//! Hi.\nfn main() {{\n    // ANCHOR: body\n{body}}}\n");
    for (program, cut, problem) in [
        (
            anchored("    println!();\n    // ANCHOR_END: body\n"),
            "demo/hello:bodi",
            ": there is no anchor `bodi`; it has `body`",
        ),
        (
            anchored("    // Later.\n\n    // ANCHOR_END: body\n"),
            "demo/hello:body",
            ":3: anchor `body` holds no code, only comments or blank lines: there is nothing to show",
        ),
        (
            anchored("    println!();\n"),
            "demo/hello:body",
            ":3: anchor `body` is opened here but never closed; add `// ANCHOR_END: body`",
        ),
        (
            "//!\nfn main() {}\n".to_owned(),
            "demo/hello",
            ":1: the listing has no caption; begin it with one line `//! What it shows.`",
        ),
    ] {
        let expected = format!("src/page.md:3: listings/demo/src/bin/hello.rs{problem}");
        assert_eq!(problem_with_listing(&program, cut), expected);
    }
}

#[test]
fn a_listing_that_is_not_utf_8_is_reported_with_its_line() {
    let book = Scratch::sound();
    book.write(LISTING, b"//! Hi.\nfn main() { println!(\"\xff\"); }\n");
    let report = problems(&book);
    assert_starts(
        &report[0],
        "src/page.md:5: listings/demo/src/bin/hello.rs:2: is not UTF-8",
    );
}

#[test]
fn an_output_that_is_missing_is_reported_with_what_makes_it() {
    let book = Scratch::sound();
    book.remove(OUTPUT);
    assert_eq!(
        problems(&book),
        [
            "src/page.md:6: listings/demo/src/bin/hello.out is missing, so there is no output to show; \
             `cargo book bless demo/hello` runs the listing and writes it"
        ]
    );
}

#[test]
fn an_output_that_is_empty_is_reported() {
    for nothing in ["", "\n", " \r\n"] {
        let book = Scratch::sound();
        book.write(OUTPUT, nothing);
        assert_eq!(
            problems(&book),
            ["src/page.md:6: listings/demo/src/bin/hello.out is empty; \
                 let the listing print what it shows, then `cargo book bless demo/hello`"]
        );
    }
}

#[test]
fn a_program_that_must_not_compile_needs_its_message() {
    let book = with_page("# Page\n\n{{#compile_fail demo/bad}}\n");
    book.write(
        "listings/demo/compile_fail/bad.rs",
        "//! Bad.\nfn main() { 1 }\n",
    );
    assert_eq!(
        problems(&book),
        [
            "src/page.md:3: listings/demo/compile_fail/bad.stderr is missing, so there is no message \
             to show; `cargo book bless demo/bad` compiles the program and writes it"
        ]
    );
    book.write(
        "listings/demo/compile_fail/bad.stderr",
        "error[E0308]: mismatched types\n",
    );
    let html = html(&book);
    assert_has(&html, "error[E0308]: mismatched types\n");
    assert_eq!(rust_blocks(&html)[0].0, "data-compile-fail=\"demo/bad\"");
}

#[test]
fn an_unstable_program_needs_its_output_and_has_its_own_command() {
    let page = "# Page\n\n{{#unstable demo/dump}}\n\n{{#output demo/dump}}\n\n{{#manifest demo/unstable}}\n";
    let book = with_page(page);
    book.write(
        "listings/demo/unstable/dump.rs",
        "//! A dump.\nfn main() {}\n",
    );
    assert_eq!(
        problems(&book),
        [
            "src/page.md:5: listings/demo/unstable/dump.out is missing, so there is no output to show; \
             `cargo book bless demo/dump` runs the listing and writes it",
            "src/page.md:7: there is no part `demo/unstable` under listings/; there are: demo, and `all` for the \
             manifest of all",
        ]
    );
    book.write("listings/demo/unstable/dump.out", "dumped\n");
    book.write(
        "listings/demo/unstable/Cargo.toml",
        "[dependencies]\n# The runtime.\ntokio = { version = \"1\", optional = true }\n",
    );
    let html = html(&book);
    assert_has(&html, "<code class=\"command\">cargo unstable dump</code>");
    assert_has(&html, "dumped\n");
    assert_has(&html, "listings/demo/unstable/Cargo.toml");
    assert_eq!(rust_blocks(&html)[0].0, "data-unstable=\"demo/dump\"");
}

#[test]
fn what_clippy_refuses_is_said_to_compile() {
    let book = with_page("# Page\n\n{{#compile_fail demo/bad}}\n");
    book.write(
        "listings/demo/compile_fail/bad.rs",
        "//! Bad.\n#![deny(clippy::len_zero)]\nfn main() {}\n",
    );
    book.write("listings/demo/compile_fail/bad.stderr", "error: length\n");
    let html = html(&book);
    assert_has(&html, "What Clippy says:");
    assert_has(&html, "compiles, and Clippy refuses it");
}

// --- Symbolic links --------------------------------------------------------------------------------

// Windows does not let everyone make them.
#[cfg(unix)]
mod symbolic_links {
    use super::*;
    use scratch::link;
    use std::fs;

    /// Puts a link in a file's place, to a file with the same text outside the book.
    fn move_out(book: &Scratch, file: &str) -> tempfile::TempDir {
        let outside = tempfile::tempdir().expect("a temporary folder");
        let target = outside.path().join("secret");
        fs::copy(book.path(file), &target).expect("a copy");
        book.remove(file);
        link(&target, &book.path(file));
        outside
    }

    #[test]
    fn a_page_that_is_a_link_out_of_the_book_is_refused() {
        let book = Scratch::sound();
        let _outside = move_out(&book, "src/page.md");
        let report = only(problems(&book));
        assert_starts(
            &report,
            "src/SUMMARY.md:3: the page src/page.md: is a symbolic link out of the book's folder, to ",
        );
        assert!(!book.path("built/page.html").exists());
    }

    #[test]
    fn a_listing_that_is_a_link_out_of_the_book_is_refused() {
        let book = Scratch::sound();
        let _outside = move_out(&book, LISTING);
        let report = problems(&book);
        assert_starts(
            &report[0],
            "src/page.md:5: listings/demo/src/bin/hello.rs: is a symbolic link out of the book's folder",
        );
    }

    #[test]
    fn an_output_that_is_a_link_out_of_the_book_is_refused() {
        let book = Scratch::sound();
        let _outside = move_out(&book, OUTPUT);
        assert_starts(
            &only(problems(&book)),
            "src/page.md:6: listings/demo/src/bin/hello.out: is a symbolic link out of the book's folder",
        );
    }

    #[test]
    fn a_picture_that_is_a_link_out_of_the_book_is_refused() {
        let book = Scratch::sound();
        book.write("src/part/picture.png", "png");
        let _outside = move_out(&book, "src/part/picture.png");
        assert_starts(
            &only(problems(&book)),
            "src/part/picture.png: is a symbolic link out of the book's folder",
        );
    }

    #[test]
    fn a_link_inside_the_book_is_followed() {
        let book = Scratch::sound();
        fs::rename(book.path("src/page.md"), book.path("src/real.md")).expect("a new name");
        link(&book.path("src/real.md"), &book.path("src/page.md"));
        link(&book.path("src"), &book.path("src/round"));
        assert_eq!(model::uses::of_listing(&project(&book), &name()).len(), 4);
        book.remove("src/round");
        assert_has(&html(&book), "println!(\"hello\")");
    }
}

// --- What a reader gets ----------------------------------------------------------------------------

fn name() -> ProgramId {
    ProgramId::parse("demo/hello").expect("a name")
}

#[test]
fn windows_line_ends_make_no_difference() {
    let program = HELLO
        .replace("    println", "    // ANCHOR: a\n    println")
        .replace("\n}", "\n    // ANCHOR_END: a\n}");
    let page = format!(
        "{PAGE}\n{{{{#listing demo/hello:a}}}}\n{{{{#compile_fail demo/bad}}}}\n\n```console\n$ a\n\n$ b\n```\n"
    );
    let built = |windows: bool| {
        let book = Scratch::sound();
        let write = |file: &str, text: &str| {
            book.write(
                file,
                if windows {
                    text.replace('\n', "\r\n")
                } else {
                    text.to_owned()
                },
            );
        };
        write("src/SUMMARY.md", &book.read("src/SUMMARY.md"));
        write("src/page.md", &page);
        write(LISTING, &program);
        write(OUTPUT, "hello\nworld\n");
        write(
            "listings/demo/compile_fail/bad.rs",
            "//! Bad.\n\nfn main() {\n    1\n}\n",
        );
        write(
            "listings/demo/compile_fail/bad.stderr",
            "error: a\n --> b\n",
        );
        html(&book)
    };
    let (windows, unix) = (built(true), built(false));
    assert_eq!(rust_blocks(&unix).len(), 3);
    assert!(!windows.contains('\r'));
    assert_eq!(windows, unix);
}

/// A program that is full of what a page gives a meaning to.
const TRICKY: &str = r##"//! Show `#` & <tags>.

use std::fmt::Write as _;

#[derive(Debug)]
#[allow(dead_code)]
struct Order<'a>(&'a str);

fn main() {
    // ANCHOR: text
    let text = r#"
# one
#
## two
  ### three
#[four]
```rust
````
{{#listing demo/none}} {{oops}}
<b>&amp;</b> \* *no* `code`
	tab
"#;
    // ANCHOR_END: text
    let mut out = String::new();
    let _ = write!(out, "{text}{:?}", Order("x"));
    // ANCHORAGE is no anchor.
    println!("{out}");
}
"##;

/// What of it is between the anchors.
const TRICKY_SHOWN: &str =
    "# one\n#\n## two\n  ### three\n#[four]\n```rust\n````\n{{#listing demo/none}} {{oops}}\n";

/// The blocks of Rust on a page: which program the figure around it names, and its text, hidden lines included.
fn rust_blocks(html: &str) -> Vec<(String, String)> {
    let page = scraper::Html::parse_document(html);
    let code = scraper::Selector::parse("pre code.language-rust").expect("a selector");
    let block = |code: scraper::ElementRef<'_>| {
        let mut around = code.ancestors().filter_map(scraper::ElementRef::wrap);
        let figure = around.find(|it| it.value().name() == "figure");
        let mut attributes = figure.iter().flat_map(|figure| figure.value().attrs());
        let from = attributes.find(|(name, _)| name.starts_with("data-"));
        let from = from.map_or(String::new(), |(name, value)| format!("{name}=\"{value}\""));
        (from, code.text().collect())
    };
    page.select(&code).map(block).collect()
}

fn without_anchors(program: &str) -> String {
    let lines = program
        .lines()
        .filter(|line| !line.contains("// ANCHOR:") && !line.contains("// ANCHOR_END:"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_program_full_of_marks_is_shown_and_read_back_to_the_letter() {
    for cut in ["demo/hello", "demo/hello:text"] {
        let book = with_page(&format!(
            "# Page\n\n{{{{#listing {cut}}}}}\n\nMore `text`.\n"
        ));
        book.write(LISTING, TRICKY);
        let html = html(&book);
        let blocks = rust_blocks(&html);
        assert_eq!(blocks.len(), 1, "{html}");
        // Hidden lines included, and the anchors' lines left out.
        let (from, program) = &blocks[0];
        assert_eq!(
            program.trim_end(),
            without_anchors(TRICKY).trim_end(),
            "{cut}"
        );
        assert_eq!(from, "data-listing=\"demo/hello\"");
        let shown = shown_lines(&html);
        assert_has(&shown, TRICKY_SHOWN);
        assert_eq!(shown.contains("fn main()"), cut == "demo/hello", "{shown}");
        assert_has(&html, "<p>More <code>text</code>.</p>");
    }
}

/// The lines of the page's program that a reader sees immediately, as text.
fn shown_lines(html: &str) -> String {
    let page = scraper::Html::parse_document(html);
    let code = scraper::Selector::parse("pre code.language-rust").expect("a selector");
    let block = page.select(&code).next().expect("a block of Rust");
    let shown = block.children().filter_map(|node| node.value().as_text());
    shown.map(|text| text.to_string()).collect()
}

#[test]
fn an_output_full_of_marks_is_shown_to_the_letter() {
    let book = Scratch::sound();
    book.write(OUTPUT, "# a\n```\n{{#oops}}\n<b>&amp;</b>\n````\n    end\n");
    let html = html(&book);
    let page = scraper::Html::parse_document(&html);
    let code = scraper::Selector::parse("figure.output pre code").expect("a selector");
    let text: String = page
        .select(&code)
        .next()
        .expect("an output")
        .text()
        .collect();
    assert_eq!(text, "# a\n```\n{{#oops}}\n<b>&amp;</b>\n````\n    end\n");
}

#[test]
fn captions_link_to_the_repository_where_it_has_an_address() {
    let book = Scratch::sound();
    let plain = html(&book);
    assert_has(&plain, "<code>listings/demo/src/bin/hello.rs</code>");
    assert!(!plain.contains("href=\"http"), "{plain}");
    let config = book.read("book.toml");
    for address in ["https://example.com/book", "https://example.com/book/"] {
        book.write(
            "book.toml",
            config.replace(
                "[output.html]\n",
                &format!("[output.html]\ngit-repository-url = \"{address}\"\n"),
            ),
        );
        assert_has(
            &html(&book),
            "<a href=\"https://example.com/book/blob/HEAD/listings/demo/src/bin/hello.rs\">\
             <code>listings/demo/src/bin/hello.rs</code></a>",
        );
    }
}

#[test]
fn an_output_of_a_run_just_now_is_shown_and_said_to_be_new() {
    let book = Scratch::sound();
    let fresh = |printed: &str| {
        let outputs = BTreeMap::from([(name(), printed.to_owned())]);
        html_of(&book, &project(&book).with_fresh_outputs(outputs))
    };
    let changed = fresh("goodbye\n");
    assert_has(&changed, "goodbye\n</code>");
    assert!(!changed.contains("hello\n</code>"));
    assert_has(
        &changed,
        "This is what it printed just now; <code>listings/demo/src/bin/hello.out</code> says otherwise. \
         <code>cargo book bless demo/hello</code> accepts the new output.",
    );
    assert!(!fresh("hello\n").contains("just now"));
    book.remove(OUTPUT);
    let first = fresh("hello\n");
    assert_has(
        &first,
        "This is what it printed just now; <code>cargo book bless demo/hello</code> writes it to \
         <code>listings/demo/src/bin/hello.out</code>.",
    );
}

const TIMELINE: &str = "listings/demo/src/bin/hello.timeline.json";

/// `main` runs once, and prints.
const RECORDING: &str = r#"{"version":1,"ends":0,"tasks":[{"name":"main","line":3,"step":0,"begins":0,"ends":0,
"outcome":"finished","spans":[{"is":"run","step":0,"from":0,"to":0}]}],"resources":[],"wakes":[],"passed":[],
"printed":[{"step":0,"at":0,"task":0,"line":4,"text":"hello"}]}"#;

#[test]
fn a_timeline_is_drawn_and_described() {
    let book = with_page(&format!("{PAGE}\n{{{{#timeline demo/hello}}}}\n"));
    book.write(TIMELINE, RECORDING);
    let html = html(&book);
    assert_has(
        &html,
        "<figure class=\"timeline\" id=\"timeline-hello\" data-timeline=\"demo/hello\">",
    );
    assert_has(&html, "<svg class=\"course\"");
    assert_has(
        &html,
        "<i>main</i> starts, prints 1: <samp>hello</samp>, and finishes.</li>",
    );
    assert_has(
        &html,
        "<p class=\"summary\">One task runs without waiting for the clock.</p>",
    );
    // This book has no page that explains it.
    assert!(!html.contains("How to read this"));
}

#[test]
fn a_timeline_links_to_the_page_that_explains_it() {
    let book = with_page(&format!("{PAGE}\n{{{{#timeline demo/hello}}}}\n"));
    book.write(TIMELINE, RECORDING);
    book.write("src/timelines.md", "# How to read a timeline\n");
    assert_has(
        &html(&book),
        "<a href=\"timelines.html\">How to read this</a>",
    );
}

#[test]
fn a_mistake_and_its_fix_are_drawn_on_one_scale() {
    let book = with_page(&format!(
        "{PAGE}\n{{{{#timeline demo/hello demo/hello}}}}\n"
    ));
    book.write(TIMELINE, RECORDING);
    let html = html(&book);
    assert_eq!(html.matches("<svg class=\"course\"").count(), 2);
    assert_has(&html, "<p class=\"which\"><code>hello</code> ");
}

#[test]
fn a_recording_that_is_none_is_reported() {
    let book = with_page("# Page\n\n{{#timeline demo/hello}}\n");
    book.write(TIMELINE, "{}");
    assert_starts(
        &only(problems(&book)),
        "src/page.md:3: listings/demo/src/bin/hello.timeline.json: is not a timeline: missing field `version`",
    );
}

#[test]
fn a_program_says_once_what_it_was_tested_against() {
    let shown = "{{#listing demo/hello}}\n";
    let book = with_page(&format!("# Page\n\n{shown}\n{shown}"));
    let program = book.read(LISTING);
    let tests = "\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn panic_is_reported() {}\n}\n";
    book.write(LISTING, format!("{program}{tests}"));
    let line = "<p class=\"tested\">Tested against: a panic.</p>";
    assert_eq!(html(&book).matches(line).count(), 1);
    // A mistake survives nothing.
    let wrong = program.replacen("//! ", "//! Wrong: ", 1);
    book.write(LISTING, format!("{wrong}{tests}"));
    assert!(!html(&book).contains("class=\"tested\""));
}
