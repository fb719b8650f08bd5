//! What a page or a listing can have wrong is reported with its file and line, all of it together, and what
//! a page shows is the program to the letter. Most cases are in `bad_pages/`.

use model::{Problems, ProgramId, Project};
use render::site;
use scraper::{ElementRef, Html, Selector};
use scratch::{Case, HELLO, PAGE, Scratch, assert_has, cases, is_like, missing_line, rows};
use std::collections::BTreeMap;

const LISTING: &str = "listings/demo/src/bin/hello.rs";
const OUTPUT: &str = "listings/demo/src/bin/hello.out";

fn project(book: &Scratch) -> Project {
    Project::open(book.root()).expect("a book")
}

/// The page `src/page.md` as a reader gets it, or what the build says is wrong with the book.
fn build(book: &Scratch) -> Result<String, Vec<String>> {
    match site::build(&project(book), &book.path("built")) {
        Ok(_) => Ok(book.read("built/page.html")),
        Err(error) => Err(match error.downcast_ref::<Problems>() {
            Some(problems) => problems.iter().map(ToString::to_string).collect(),
            None => vec![format!("{error:#}")],
        }),
    }
}

fn html(book: &Scratch) -> String {
    build(book).expect("the book builds")
}

/// A sound book whose page is this text, line 1 being its heading.
fn with_page(text: &str) -> Scratch {
    let book = Scratch::sound();
    book.write("src/page.md", text);
    book
}

#[test]
fn what_is_wrong_on_a_line_is_reported_there() {
    for [line, problem] in rows(include_str!("bad_pages/lines.txt")) {
        let found = build(&with_page(&format!("# Page\n\n{line}\n"))).expect_err(&line);
        assert_eq!(found.len(), 1, "{line}: {found:#?}");
        let expected = format!("src/page.md:{problem}");
        assert!(found[0].starts_with(&expected), "{expected}:\n{found:#?}");
    }
}

#[test]
fn each_case_is_reported_or_shown_as_expected() {
    let cases = cases(include_str!("bad_pages/cases.txt"));
    let wrong = cases.iter().filter(|case| match build(&case.book()) {
        Ok(html) => !is_shown(case, &html),
        Err(found) => !is_reported(case, &found),
    });
    let wrong: Vec<_> = wrong.map(|case| &case.name).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn is_shown(case: &Case, html: &str) -> bool {
    let missing = missing_line(html, case.get("html"));
    let mut unwanted = case.get("html without").lines();
    let unwanted = unwanted.find(|line| html.contains(line));
    let is_shown = !case.get("html").is_empty() && missing.is_none() && unwanted.is_none();
    if !is_shown {
        eprintln!("missing: {missing:?}, unwanted: {unwanted:?}\n{html}");
    }
    is_shown
}

fn is_reported(case: &Case, found: &[String]) -> bool {
    let expected: Vec<_> = case.get("problems").lines().collect();
    let error = case.get("error").trim_end();
    let is_reported = match error.is_empty() {
        true => found.len() == expected.len(),
        false => found.concat().contains(error),
    };
    let mut pairs = found.iter().zip(expected);
    let is_reported = is_reported && pairs.all(|(found, expected)| is_like(found, expected));
    if !is_reported {
        eprintln!("{found:#?}");
    }
    is_reported
}

// --- Symbolic links --------------------------------------------------------------------------------

// Windows does not let everyone make them.
#[cfg(unix)]
mod symbolic_links {
    use super::*;
    use scratch::link;
    use std::fs;

    #[test]
    fn a_link_out_of_the_book_is_refused() {
        for (file, place) in [
            ("src/page.md", "src/SUMMARY.md:3: the page src/page.md"),
            (LISTING, "src/page.md:5: listings/demo/src/bin/hello.rs"),
            (OUTPUT, "src/page.md:6: listings/demo/src/bin/hello.out"),
            ("src/part/picture.png", "src/part/picture.png"),
        ] {
            let book = Scratch::sound();
            book.write("src/part/picture.png", "png");
            let outside = tempfile::tempdir().expect("a temporary folder");
            let target = outside.path().join("secret");
            fs::copy(book.path(file), &target).expect("a copy");
            book.remove(file);
            link(&target, &book.path(file));
            let found = build(&book).expect_err(file);
            let expected = format!("{place}: is a symbolic link out of the book's folder, to ");
            assert!(found[0].starts_with(&expected), "{found:#?}");
            assert!(!book.path("built/page.html").exists(), "{file}");
        }
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
    let bad = "//! Bad.\n\nfn main() {\n    1\n}\n";
    let built = |end: &str| {
        let book = Scratch::sound();
        for (file, text) in [
            ("src/SUMMARY.md", &*book.read("src/SUMMARY.md")),
            ("src/page.md", &page),
            (LISTING, &program),
            (OUTPUT, "hello\nworld\n"),
            ("listings/demo/compile_fail/bad.rs", bad),
            (
                "listings/demo/compile_fail/bad.stderr",
                "error: a\n --> b\n",
            ),
        ] {
            book.write(file, text.replace('\n', end));
        }
        html(&book)
    };
    let (windows, unix) = (built("\r\n"), built("\n"));
    assert_eq!(unix.matches("language-rust").count(), 3);
    assert!(!windows.contains('\r'));
    assert_eq!(windows, unix);
}

#[test]
fn what_a_program_needs_in_its_manifest_is_shown_with_any_part_of_it() {
    let book = Scratch::sound();
    let bad = "//! Bad.\n// Cargo.toml: edition = \"2015\"\n\nfn main() {}\n\n// ANCHOR: a\nasync fn order() {}\n// ANCHOR_END: a\n";
    book.write("listings/demo/compile_fail/bad.rs", bad);
    book.write("listings/demo/compile_fail/bad.stderr", "error: a\n");
    let page = format!("{PAGE}\n{{{{#compile_fail demo/bad:a}}}}\n");
    book.write("src/page.md", page);
    let html = html(&book);
    let hidden: Vec<_> = html.split("<span class=\"boring\">").skip(1).collect();
    let is_hidden = |line: &str| hidden.iter().any(|it| it.starts_with(line));
    assert!(is_hidden("fn main() {}"), "{html}");
    assert!(html.contains("// Cargo.toml: edition"), "{html}");
    assert!(!is_hidden("// Cargo.toml"), "{html}");
}

/// A program that is full of what a page gives a meaning to.
const MARKS: &str = include_str!("bad_pages/marks.txt");

/// What of it is between the anchors.
const MARKS_SHOWN: &str =
    "# one\n#\n## two\n  ### three\n#[four]\n```rust\n````\n{{#listing demo/none}} {{oops}}\n";

#[test]
fn a_program_full_of_marks_is_shown_and_read_back_to_the_letter() {
    let lines = MARKS.split_inclusive('\n');
    let whole: String = lines
        .filter(|line| !line.contains("// ANCHOR:") && !line.contains("// ANCHOR_END:"))
        .collect();
    for cut in ["demo/hello", "demo/hello:text"] {
        let book = with_page(&format!(
            "# Page\n\n{{{{#listing {cut}}}}}\n\nMore `text`.\n"
        ));
        book.write(LISTING, MARKS);
        let html = html(&book);
        let page = Html::parse_document(&html);
        let figure = "figure[data-listing='demo/hello'] pre code.language-rust";
        let block = only(&page, figure);
        // Hidden lines included, and the anchors' lines left out.
        let program: String = block.text().collect();
        assert_eq!(program.trim_end(), whole.trim_end(), "{cut}");
        let shown = block.children().filter_map(|node| node.value().as_text());
        let shown: String = shown.map(|text| text.to_string()).collect();
        assert_has(&shown, MARKS_SHOWN);
        assert_eq!(shown.contains("fn main()"), cut == "demo/hello", "{shown}");
        assert_has(&html, "<p>More <code>text</code>.</p>");
    }
}

#[track_caller]
fn only<'a>(page: &'a Html, selector: &str) -> ElementRef<'a> {
    let selector = Selector::parse(selector).expect("a selector");
    let found: Vec<_> = page.select(&selector).collect();
    assert_eq!(found.len(), 1, "{}", page.html());
    found[0]
}

#[test]
fn an_output_full_of_marks_is_shown_to_the_letter() {
    let output = "# a\n```\n{{#oops}}\n<b>&amp;</b>\n````\n    end\n";
    let book = Scratch::sound();
    book.write(OUTPUT, output);
    let page = Html::parse_document(&html(&book));
    let text: String = only(&page, "figure.output pre code").text().collect();
    assert_eq!(text, output);
}

#[test]
fn an_output_on_postgresql_is_beside_the_one_on_sqlite_or_alone() {
    let book = Scratch::sound();
    let on_postgresql = OUTPUT.replace(".out", ".postgresql.out");
    book.write(&on_postgresql, "40001\n");
    let says = |html: &str| -> Vec<String> {
        let page = Html::parse_document(html);
        let blocks = Selector::parse("figure.output .says, figure.output pre").expect("a selector");
        page.select(&blocks)
            .map(|block| block.text().collect::<String>().trim().to_owned())
            .collect()
    };
    let both = ["On SQLite:", "hello", "On PostgreSQL:", "40001"];
    assert_eq!(says(&html(&book)), both);
    book.write(OUTPUT, model::output::NEEDS_POSTGRESQL);
    assert_eq!(says(&html(&book)), both[2..]);
}

#[test]
fn an_output_of_a_run_just_now_is_shown_and_said_to_be_new() {
    let book = Scratch::sound();
    let fresh = |printed: &str| {
        let outputs = BTreeMap::from([(name(), printed.to_owned())]);
        let project = project(&book).with_fresh_outputs(outputs);
        site::build(&project, &book.path("built")).expect("the book builds");
        book.read("built/page.html")
    };
    let changed = fresh("goodbye\n");
    assert_has(&changed, "goodbye\n</code>");
    assert!(!changed.contains("hello\n</code>"));
    assert_has(
        &changed,
        "This is the output of the latest run, and it differs from <code>listings/demo/src/bin/hello.out</code>. \
         <code>cargo book bless demo/hello</code> accepts the new output.",
    );
    assert!(!fresh("hello\n").contains("latest run"));
    book.remove(OUTPUT);
    assert_has(
        &fresh("hello\n"),
        "This is the output of the latest run. <code>cargo book bless demo/hello</code> writes it to \
         <code>listings/demo/src/bin/hello.out</code>.",
    );
}

#[test]
fn a_long_program_is_whole_once_and_a_very_long_one_never() {
    let hidden = |bytes: usize| "// x\n".repeat(bytes / 5);
    let shown =
        "// ANCHOR: a\nlet a = 1;\n// ANCHOR_END: a\n// ANCHOR: b\nlet b = 2;\n// ANCHOR_END: b\n";
    for (bytes, excerpts) in [(1_000, 0), (20_000, 1), (50_000, 2)] {
        let book = with_page("# Page\n\n{{#listing demo/hello:a}}\n\n{{#listing demo/hello:b}}\n");
        let program = format!("//! Hello.\n\n{}fn main() {{\n{shown}}}\n", hidden(bytes));
        book.write(LISTING, program);
        let html = html(&book);
        assert_eq!(html.matches(" data-excerpt").count(), excerpts, "{bytes}");
        assert_eq!(html.matches("class=\"boring\"").count() > 0, excerpts < 2);
    }
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
