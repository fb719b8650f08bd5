//! Each check of `verify::checks` and `verify::links` finds what it is there for: a sound book is broken
//! in one way, and the message names the place.

use pages::site::Page;
use pages::{Problem, Project, site};
use scratch::{HELLO, PAGE, Scratch};
use verify::{checks, links};

fn built(book: &Scratch) -> (Project, Vec<Page>) {
    let project = Project::open(book.root()).expect("a book");
    let pages = site::build(&project, &book.path("built")).expect("the book builds");
    (project, pages)
}

fn told(problems: Vec<Problem>) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_sound_book_has_no_problems() {
    let book = Scratch::sound();
    let (project, pages) = built(&book);
    assert!(checks::stray_pages(&project, &pages).is_empty());
    assert!(checks::unshown(&project).unwrap().is_empty());
    assert!(checks::stray_files(&project).unwrap().is_empty());
    assert!(checks::shared_names(&project).unwrap().is_empty());
    assert!(
        checks::altered_programs(&project, &book.path("built"), &pages)
            .unwrap()
            .is_empty()
    );
    assert!(
        links::broken(&project, &book.path("built"), &pages)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_page_outside_the_table_of_contents_is_found() {
    let book = Scratch::sound();
    book.write("src/part/lost.md", "# Lost\n");
    let (project, pages) = built(&book);
    let found = told(checks::stray_pages(&project, &pages));
    assert_eq!(
        found,
        ["src/part/lost.md: is not in src/SUMMARY.md, so no reader finds it"]
    );
}

#[test]
fn a_listing_that_no_page_shows_is_found() {
    let book = Scratch::sound();
    book.listing("unseen", "    println!(\"unseen\");", "unseen\n");
    let found = told(checks::unshown(&built(&book).0).unwrap());
    assert_eq!(
        found,
        [
            "listings/demo/src/bin/unseen.rs: no page shows it; add {{#listing demo/unseen}} to one, or remove it",
            "listings/demo/src/bin/unseen.out: no page shows it; add {{#output demo/unseen}}",
        ]
    );
}

#[test]
fn a_program_that_must_not_compile_and_that_no_page_shows_is_found() {
    let book = Scratch::sound();
    book.write(
        "listings/demo/compile_fail/bad.rs",
        "//! Bad.\nfn main() { 1 }\n",
    );
    let found = told(checks::unshown(&built(&book).0).unwrap());
    assert!(
        found[0].starts_with("listings/demo/compile_fail/bad.rs: no page shows it"),
        "{found:?}"
    );
}

#[test]
fn an_anchor_that_no_page_shows_is_found_with_its_line() {
    let book = Scratch::sound();
    let program = HELLO.replace("    println", "    // ANCHOR: greet\n    println");
    book.write(
        "listings/demo/src/bin/hello.rs",
        program.replace("\n}", "\n    // ANCHOR_END: greet\n}"),
    );
    let found = told(checks::unshown(&built(&book).0).unwrap());
    assert_eq!(
        found,
        ["listings/demo/src/bin/hello.rs:4: no page shows the anchor `greet`"]
    );
}

#[test]
fn a_shown_part_that_fits_no_screen_is_found() {
    let book = Scratch::sound();
    let body = "    println!(\"hello\");\n".repeat(checks::SCREEN);
    book.write(
        "listings/demo/src/bin/hello.rs",
        format!("//! Say hello.\n\nfn main() {{\n{body}}}\n"),
    );
    let found = told(checks::unshown(&built(&book).0).unwrap());
    assert!(
        found[0].contains("the program shows 42 lines, and 40 fit a screen"),
        "{found:?}"
    );
}

#[test]
fn a_file_that_belongs_to_no_program_is_found() {
    let book = Scratch::sound();
    book.write("listings/demo/src/bin/gone.out", "gone\n");
    book.write("listings/demo/src/bin/gone.timeline.json", "{}\n");
    book.write("listings/demo/src/bin/hello.timeline.json", "{}\n");
    book.write("listings/demo/src/bin/hello.json", "{}\n");
    book.write("listings/demo/compile_fail/gone.stderr", "error\n");
    let found = told(checks::stray_files(&built(&book).0).unwrap());
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(
        found[2].starts_with("listings/demo/src/bin/gone.timeline.json: belongs to no program"),
        "{found:?}"
    );
    assert!(
        found[3].starts_with("listings/demo/src/bin/hello.json: belongs to no program"),
        "{found:?}"
    );
    assert!(
        found[0].starts_with("listings/demo/compile_fail/gone.stderr: belongs to no program"),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("listings/demo/src/bin/gone.out: belongs to no program"),
        "{found:?}"
    );
}

#[test]
fn two_listings_of_one_name_are_found() {
    let book = Scratch::sound();
    book.write(
        "listings/other/Cargo.toml",
        book.read("listings/demo/Cargo.toml")
            .replace("demo", "other"),
    );
    book.write("listings/other/src/bin/hello.rs", HELLO);
    let found = told(checks::shared_names(&built(&book).0).unwrap());
    assert!(
        found[0].starts_with("listings/other/src/bin/hello.rs: `demo/hello` has the same name"),
        "{found:?}"
    );
}

#[test]
fn a_block_that_is_not_its_program_is_found_with_its_line() {
    let book = Scratch::sound();
    let (project, pages) = built(&book);
    book.write(
        "listings/demo/src/bin/hello.rs",
        HELLO.replace("hello", "goodbye"),
    );
    let found = told(checks::altered_programs(&project, &book.path("built"), &pages).unwrap());
    assert_eq!(
        found,
        ["src/page.md:5: what a reader gets here is not the program's text"]
    );
}

#[test]
fn a_block_that_no_directive_made_is_counted() {
    let book = Scratch::sound();
    let (project, pages) = built(&book);
    let html = book.read("built/page.html");
    let smuggled = "<pre><code class=\"language-rust\">fn main() {}</code></pre></main>";
    book.write("built/page.html", html.replace("</main>", smuggled));
    let found = told(checks::altered_programs(&project, &book.path("built"), &pages).unwrap());
    assert_eq!(
        found,
        [
            "src/page.md: readers see 2 blocks of Rust here, but 1 directives put programs on this page"
        ]
    );
}

#[test]
fn links_that_lead_nowhere_are_found_with_their_lines() {
    let book = Scratch::sound();
    let links = "\n[a](nowhere.md)\n\n[b](page.md#pag)\n\n![c](no.png)\n\n[d][undefined]\n\n[e](../book.toml)\n\n[f](https://example.com/x) [g](page.md#page) [h](#page)\n";
    book.write("src/page.md", format!("{PAGE}{links}"));
    let (project, pages) = built(&book);
    let found = told(links::broken(&project, &book.path("built"), &pages).unwrap());
    assert_eq!(
        found,
        [
            "src/page.md:8: the link `nowhere.md` leads to nowhere.html, which does not exist",
            "src/page.md:10: the link `page.md#pag` leads to a heading that page.html does not have; did you mean `#page`?",
            "src/page.md:12: the link `no.png` leads to no.png, which does not exist",
            "src/page.md:16: the link `../book.toml` leads out of the book",
            "src/page.md:14: this reference has no definition",
        ]
    );
}
