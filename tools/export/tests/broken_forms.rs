//! Small books are put into other forms, and the forms are broken one way at a time: each check must notice.

use export::{Book, check, epub, print, site};
use pages::{Problem, Project};
use scratch::Scratch;
use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

const PROGRAM: &str = "//! Say `a < b`.\n\nuse std::io;\n\n// ANCHOR: shown\nfn main() {\n    \
    println!(\"a < b & \\u{2026}\");\n}\n// ANCHOR_END: shown\n\nfn hidden() -> io::Result<()> {\n    Ok(())\n}\n";

/// Two tasks, as `cargo book bless` would record them.
const TIMELINE: &str = include_str!("../../../listings/tasks/src/bin/pay_and_ship.timeline.json");

/// A book that has everything that the directives make.
fn book() -> Scratch {
    let book = Scratch::sound();
    book.write("listings/demo/src/bin/shown.rs", PROGRAM);
    book.write(
        "listings/demo/src/bin/shown.out",
        "a < b & …\n\u{1b}[1mbold\n",
    );
    book.write("listings/demo/src/bin/shown.timeline.json", TIMELINE);
    book.write(
        "listings/demo/compile_fail/bad.rs",
        "//! Wrong: it returns a number.\n\nfn main() {\n    1\n}\n",
    );
    book.write(
        "listings/demo/compile_fail/bad.stderr",
        "error[E0308]: mismatched\n",
    );
    book.write(
        "src/picture.svg",
        "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n",
    );
    book.write(
        "src/SUMMARY.md",
        "# Summary\n\n[Front](front.md)\n\n# Part\n\n- [Page](page.md)\n  - [Deep & low](deep/low.md)\n\n---\n\n[Back](back.md)\n",
    );
    book.write(
        "src/front.md",
        "# Front\n\nSee [low](deep/low.md#over-there).\n\n![A picture](picture.svg)\n",
    );
    book.write(
        "src/deep/low.md",
        "# Low\n\n{{#listing demo/shown:shown}}\n\n{{#output demo/shown}}\n\n{{#timeline demo/shown}}\n\n## Over there\n\n\
         {{#compile_fail demo/bad}}\n\n```console\n$ cargo test\n```\n\n{{#manifest demo}}\n\nBack to the [page](../page.md), \
         [here](#over-there), [this](low.md), [all](../llms.txt), <https://example.com/a.html>.\n",
    );
    book.write("src/back.md", "# Back\n\n**PDF** and <br> EPUB.\n");
    book
}

struct Made {
    project: Project,
    book: Book,
    _scratch: Scratch,
}

fn made() -> Made {
    let scratch = book();
    let project = Project::open(scratch.root()).expect("a book");
    let folder = scratch.path("built");
    fs::create_dir_all(&folder).expect("a folder");
    let book = site::build(&project, &folder)
        .expect("the book builds")
        .book;
    Made {
        project,
        book,
        _scratch: scratch,
    }
}

#[track_caller]
fn assert_told(problems: &[Problem], part: &str) {
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert!(
        told.iter().any(|it| it.contains(part)),
        "`{part}` is missing in {told:#?}"
    );
}

fn unpacked(bytes: &[u8]) -> Vec<(String, String)> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).expect("a ZIP");
    let mut files = Vec::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).expect("a file");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("text");
        files.push((file.name().expect("a name").into_owned(), text));
    }
    files
}

fn packed(files: &[(String, String)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(name.as_str(), SimpleFileOptions::default())
            .expect("a file");
        zip.write_all(text.as_bytes()).expect("written");
    }
    zip.finish().expect("finished").into_inner()
}

#[test]
fn a_sound_book_is_sound_in_every_form() {
    let made = made();
    let bytes = epub::epub(&made.book).expect("an EPUB");
    assert_eq!(
        check::epub(&made.project, &made.book, &bytes).expect("checked"),
        []
    );
    let html = print::page(&made.book).expect("a page");
    assert_eq!(
        check::print(&made.project, &made.book, &html).expect("checked"),
        []
    );
    assert_eq!(
        check::machines(&made.project, &made.book).expect("checked"),
        []
    );
    assert!(check::unstyled(&made.book, epub::STYLE).is_empty());
    assert!(check::unstyled(&made.book, print::STYLE).is_empty());
}

#[test]
fn an_epub_is_told_by_its_first_bytes_and_names_all_that_it_has() {
    let made = made();
    let bytes = epub::epub(&made.book).expect("an EPUB");
    assert_eq!(&bytes[30..58], b"mimetypeapplication/epub+zip");
    let files = unpacked(&bytes);
    let file = |name: &str| {
        let found = files
            .iter()
            .find(|(known, _)| known == &format!("OEBPS/{name}"));
        found
            .map(|(_, text)| text.as_str())
            .expect("the file is there")
    };
    assert!(file("nav.xhtml").contains(
        "<li><span>Part</span>\n<ol>\n<li><a href=\"page.xhtml\">Page</a>\n<ol>\n\
         <li><a href=\"deep/low.xhtml\">Deep &amp; low</a>\n<ol>\n<li><a href=\"deep/low.xhtml#over-there\">Over there</a></li>\n"
    ));
    let package = file("content.opf");
    assert!(package.contains(
        "href=\"deep/low.xhtml\" media-type=\"application/xhtml+xml\" properties=\"svg\"/>"
    ));
    assert!(package.contains("href=\"picture.svg\" media-type=\"image/svg+xml\"/>"));
    assert!(package.contains("<dc:language>en</dc:language>"));
    let page = file("deep/low.xhtml");
    assert!(page.contains(" viewBox=\"0 0 8 8\""), "{page}");
    assert!(page.contains("<details class=\"words\" open=\"open\">"));
    assert!(page.contains("<a href=\"../page.xhtml\">page</a>, <a href=\"#over-there\">here</a>, <a href=\"low.xhtml\">this</a>, <span>all</span>"));
    assert!(page.contains("\u{fffd}[1mbold") && !page.contains("fn hidden"));
}

/// Each file of an EPUB, changed in one way, with what is told of it.
const BROKEN: &[(&str, &str, &str, &str)] = &[
    (
        "deep/low.xhtml",
        "</main>",
        "",
        "OEBPS/deep/low.xhtml: is no XML: ",
    ),
    (
        "deep/low.xhtml",
        "println!",
        "print!",
        "src/deep/low.md: in the EPUB, the block that begins with `fn main() {` is not what its file holds",
    ),
    (
        "deep/low.xhtml",
        "error[E0308]",
        "error[E0309]",
        "begins with `error[E0308]: mismatched` is not what",
    ),
    (
        "deep/low.xhtml",
        "a &lt; b &amp; …\n",
        "",
        "begins with `a < b & …` is not what",
    ),
    (
        "deep/low.xhtml",
        "<pre><code class=\"language-toml\">[dependencies]\n</code></pre>",
        "",
        "shows 4 programs, outputs, messages and manifests, and must show 5",
    ),
    (
        "deep/low.xhtml",
        "cargo run --bin shown",
        "cargo run",
        "no caption tells `listings/demo/src/bin/shown.rs` and `cargo run --bin shown`",
    ),
    (
        "deep/low.xhtml",
        "data-timeline=\"demo/shown\"",
        "",
        "shows the timelines [], and must show [\"demo/shown\"]",
    ),
    (
        "deep/low.xhtml",
        "<li>",
        "<li><svg/>",
        "the timeline demo/shown is not told in words",
    ),
    (
        "deep/low.xhtml",
        "id=\"over-there\"",
        "",
        "deep/low.xhtml: the link `#over-there` leads nowhere",
    ),
    (
        "front.xhtml",
        "deep/low.xhtml#",
        "deep/lower.xhtml#",
        "front.xhtml: the link `deep/lower.xhtml#over-there` leads nowhere",
    ),
    (
        "front.xhtml",
        "picture.svg",
        "picture.png",
        "front.xhtml: the link `picture.png` leads nowhere",
    ),
    (
        "front.xhtml",
        "<p>",
        "<p id=\"front\">",
        "front.xhtml: has the id `front` twice",
    ),
    (
        "deep/low.xhtml",
        "aria-labelledby=\"",
        "aria-labelledby=\"none ",
        "nothing has the id `none`",
    ),
    (
        "nav.xhtml",
        "<li><a href=\"back.xhtml\">Back</a></li>",
        "",
        "back.xhtml: is in the EPUB, and not in its table of contents",
    ),
    (
        "content.opf",
        "href=\"picture.svg\"",
        "href=\"page.xhtml\"",
        "picture.svg: is in the EPUB, and not in its package",
    ),
];

#[test]
fn whatever_breaks_an_epub_is_told() {
    let made = made();
    let sound = unpacked(&epub::epub(&made.book).expect("an EPUB"));
    for (name, old, new, told) in BROKEN {
        let mut files = sound.clone();
        let file = files
            .iter_mut()
            .find(|(known, _)| known == &format!("OEBPS/{name}"));
        let (_, text) = file.expect("the file is there");
        assert!(text.contains(old), "{name} has no `{old}`:\n{text}");
        *text = text.replacen(old, new, 1);
        let problems = check::epub(&made.project, &made.book, &packed(&files)).expect("checked");
        assert_told(&problems, told);
    }
    let mut files = sound;
    files.retain(|(name, _)| name != "OEBPS/back.xhtml");
    let problems = check::epub(&made.project, &made.book, &packed(&files)).expect("checked");
    assert_told(&problems, "back.xhtml: is not in the EPUB, or no XML");
}

#[test]
fn whatever_breaks_the_printed_page_is_told() {
    let made = made();
    let sound = print::page(&made.book).expect("a page");
    assert!(sound.contains("<a href=\"#deep-low\">Deep &amp; low</a>"));
    assert!(sound.contains("marker-end=\"url(#deep-low--course-demo-shown-a)\""));
    for (old, new, told) in [
        ("</main>", "", "print.html: does not end what it begins"),
        (
            "println!",
            "print!",
            "src/page.md: in the page for print, the block that begins",
        ),
        (
            "<section class=\"chapter\" id=\"back\">",
            "<section id=\"back\">",
            "has 3 chapters of 4",
        ),
        (
            "id=\"deep-low--over-there\"",
            "",
            "the link `#deep-low--over-there` leads nowhere",
        ),
        (
            "id=\"back--back\"",
            "id=\"front--front\"",
            "has the id `front--front` twice",
        ),
    ] {
        assert!(sound.contains(old), "no `{old}`:\n{sound}");
        let broken = sound.replacen(old, new, 1);
        let problems = check::print(&made.project, &made.book, &broken).expect("checked");
        assert_told(&problems, told);
    }
}

#[test]
fn whatever_breaks_the_markdown_is_told() {
    let made = made();
    for (name, old, new, told) in [
        (
            "deep/low.md",
            "println!",
            "print!",
            "src/deep/low.md: in the Markdown, the block that begins",
        ),
        (
            "deep/low.md",
            "`cargo run --bin shown`",
            "",
            "no caption tells `listings/demo/src/bin/shown.rs` and `cargo run --bin shown`",
        ),
        (
            "deep/low.md",
            "1. ",
            "",
            "the timeline demo/shown is not told in words",
        ),
        (
            "deep/low.md",
            "](../page.md)",
            "](../pag.md)",
            "deep/low.md: the link `../pag.md` leads nowhere",
        ),
        (
            "front.md",
            "#over-there",
            "#over",
            "front.md: the link `deep/low.md#over` leads nowhere",
        ),
        (
            "front.md",
            "# Front",
            "# Front\n\n<p>x</p>",
            "front.md:3: has HTML in it: <p>x</p>",
        ),
        (
            "llms.txt",
            "](front.md)",
            "](page.md)",
            "llms.txt: does not list front.md",
        ),
        (
            "llms-full.txt",
            "println!",
            "print!",
            "llms-full.txt: has not all of page.md",
        ),
        (
            "llms-full.txt",
            "](deep/low.md#",
            "](low.md#",
            "llms-full.txt: the link `low.md#over-there` leads nowhere",
        ),
    ] {
        let path = made.book.site.join(name);
        let sound = fs::read_to_string(&path).expect("it is there");
        assert!(sound.contains(old), "{name} has no `{old}`:\n{sound}");
        fs::write(&path, sound.replacen(old, new, 1)).expect("written");
        let problems = check::machines(&made.project, &made.book).expect("checked");
        assert_told(&problems, told);
        fs::write(&path, sound).expect("written");
    }
}

#[test]
fn a_class_without_a_rule_is_told() {
    let made = made();
    let style = epub::STYLE
        .replace("svg.course .run,", "")
        .replace(".wake", ".wakes");
    let plain = check::unstyled(&made.book, &style);
    assert_eq!(plain.into_iter().collect::<Vec<_>>(), ["run", "wake"]);
}

/// Where it stands, `tests/pages.rs` tells; the page is shown to its author all the same.
#[test]
fn a_link_to_what_is_no_page_is_its_text_and_a_lost_picture_stays_out() {
    let scratch = book();
    scratch.write(
        "src/back.md",
        "# Back\n\nSee [it](404.html), and ![a dot](lost.png).\n",
    );
    let project = Project::open(scratch.root()).expect("a book");
    let book = Book::build(&project, &scratch.path("built")).expect("it builds");
    epub::epub(&book).expect("an EPUB");
    let printed = print::page(&book).expect("a page");
    assert!(printed.contains("See <span>it</span>, and "), "{printed}");
}

#[test]
fn the_pdf_is_linked_where_the_book_tells_of_it() {
    let made = made();
    site::link_pdf(&made.book).expect("the book tells of it");
    let back = fs::read_to_string(made.book.site.join("back.html")).expect("it is there");
    assert!(
        back.contains("<a href=\"scratch.pdf\"><strong>PDF</strong></a>"),
        "{back}"
    );
    let silent = Scratch::sound();
    let project = Project::open(silent.root()).expect("a book");
    let book = Book::build(&project, &silent.path("built")).expect("it builds");
    let error = site::link_pdf(&book)
        .expect_err("no page tells of it")
        .to_string();
    assert!(error.starts_with("no page tells of the PDF"), "{error}");
}

#[test]
fn a_program_that_prints_nothing_is_told_in_its_own_words() {
    let made = made();
    let work = made.book.site.join("..").canonicalize().expect("a folder");
    let to = work.join("x.pdf");
    // Whatever program this is, it makes no PDF.
    let cargo = std::env::var_os("CARGO").expect("cargo runs this");
    let error = export::pdf::write(&made.book, Path::new(&cargo), &work, &to).expect_err("no PDF");
    let told = error.to_string();
    assert!(
        told.contains("It said:\nerror: unexpected argument"),
        "{told}"
    );
    assert!(!to.exists());
}
