//! Breaks the exports of a small book in one way at a time. Each check must report it.

use export::{Book, check, epub, print, site};
use model::{Problem, Project};
use scratch::{Scratch, cases, rows};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// A timeline of two tasks, as `cargo book bless` records it.
const TIMELINE: &str = include_str!("../../../listings/tasks/src/bin/pay_and_ship.timeline.json");

/// A book with everything that directives can show.
fn book() -> Scratch {
    let book = cases(include_str!("broken_books/book.txt"))[0].book();
    book.write("listings/demo/src/bin/shown.timeline.json", TIMELINE);
    book
}

struct Built {
    project: Project,
    book: Book,
    scratch: Scratch,
}

fn built() -> Built {
    let scratch = book();
    let project = Project::open(scratch.root()).expect("a book");
    let book = site::build(&project, &scratch.path("built")).expect("the book builds");
    Built {
        project,
        book,
        scratch,
    }
}

impl Built {
    fn epub(&self) -> BTreeMap<String, String> {
        let bytes = epub::epub(&self.book).expect("an EPUB");
        let mut zip = ZipArchive::new(Cursor::new(bytes)).expect("a ZIP");
        let mut files = BTreeMap::new();
        for index in 0..zip.len() {
            let mut file = zip.by_index(index).expect("a file");
            let mut text = String::new();
            file.read_to_string(&mut text).expect("text");
            files.insert(file.name().expect("a name").into_owned(), text);
        }
        files
    }

    fn check_epub(&self, files: &BTreeMap<String, String>) -> Vec<Problem> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in files {
            let options = SimpleFileOptions::default();
            zip.start_file(name.as_str(), options).expect("a file");
            zip.write_all(text.as_bytes()).expect("written");
        }
        let bytes = zip.finish().expect("finished").into_inner();
        check::epub(&self.book, &bytes).expect("checked")
    }
}

#[track_caller]
fn assert_has(problems: &[Problem], expected: &str) {
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert!(
        problems.iter().any(|problem| problem.contains(expected)),
        "`{expected}` is missing in {problems:#?}"
    );
}

/// The text with a part replaced that must be there.
#[track_caller]
fn replaced(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "there is no `{old}` in:\n{text}");
    text.replacen(old, new, 1)
}

#[test]
fn a_sound_book_has_no_problems() {
    let Built { project, book, .. } = &built();
    assert_eq!(check::pages(project, book).expect("checked"), []);
    let bytes = epub::epub(book).expect("an EPUB");
    assert_eq!(check::epub(book, &bytes).expect("checked"), []);
    let html = print::page(book).expect("a page");
    assert!(html.contains("<a href=\"#deep-low\">Deep &amp; low</a>"));
    assert!(html.contains("marker-end=\"url(#deep-low--course-demo-shown-a)\""));
    assert_eq!(check::print(book, &html), []);
    assert_eq!(check::markdown(project, book).expect("checked"), []);
    assert!(check::unstyled(book, epub::STYLE).is_empty());
    assert!(check::unstyled(book, print::STYLE).is_empty());
}

#[test]
fn an_epub_has_its_type_first_and_lists_all_its_files() {
    let built = built();
    let bytes = epub::epub(&built.book).expect("an EPUB");
    assert_eq!(&bytes[30..58], b"mimetypeapplication/epub+zip");
    let files = built.epub();
    for (name, part) in [
        (
            "nav.xhtml",
            "<li><span>Part</span>\n<ol>\n<li><a href=\"page.xhtml\">Page</a>\n<ol>\n\
             <li><a href=\"deep/low.xhtml\">Deep &amp; low</a>\n<ol>\n<li><a href=\"deep/low.xhtml#over-there\">Over there</a></li>\n",
        ),
        (
            "content.opf",
            "href=\"deep/low.xhtml\" media-type=\"application/xhtml+xml\" properties=\"svg\"/>",
        ),
        (
            "content.opf",
            "href=\"picture.svg\" media-type=\"image/svg+xml\"/>",
        ),
        ("content.opf", "<dc:language>en</dc:language>"),
        ("deep/low.xhtml", " viewBox=\"0 0 8 8\""),
        ("deep/low.xhtml", "<p class=\"summary\">3 tasks run"),
        (
            "deep/low.xhtml",
            "<a href=\"../page.xhtml\">page</a>, <a href=\"#over-there\">here</a>, <a href=\"low.xhtml\">this</a>, <span>all</span>",
        ),
        ("deep/low.xhtml", "\u{fffd}[1mbold"),
    ] {
        let text = &files[&format!("OEBPS/{name}")];
        assert!(text.contains(part), "there is no `{part}` in:\n{text}");
    }
    assert!(!files["OEBPS/deep/low.xhtml"].contains("fn hidden"));
}

/// A form of the book, its file, a text of the file, what replaces the text, and what must be reported.
#[test]
fn each_broken_file_is_reported() {
    let built = built();
    let (project, book) = (&built.project, &built.book);
    let epub = built.epub();
    let print = print::page(book).expect("a page");
    for [form, name, old, new, expected] in rows(include_str!("broken_books/broken.txt")) {
        let problems = match &*form {
            "page" => {
                let folder = built.scratch.path("again");
                let mut book = Book::build(project, &folder).expect("it builds");
                let mut pages = book.pages.iter_mut();
                let page = pages.find(|page| page.html == name);
                let main = &mut page.expect("the page is there").main;
                *main = replaced(main, &old, &new);
                check::pages(project, &book).expect("checked")
            }
            "epub" => {
                let mut files = epub.clone();
                let file = files.get_mut(&format!("OEBPS/{name}"));
                let file = file.expect("the file is there");
                *file = replaced(file, &old, &new);
                built.check_epub(&files)
            }
            "print" => check::print(book, &replaced(&print, &old, &new)),
            _ => {
                let path = book.site.join(&name);
                let sound = fs::read_to_string(&path).expect("it is there");
                fs::write(&path, replaced(&sound, &old, &new)).expect("written");
                let problems = check::markdown(project, book).expect("checked");
                fs::write(&path, sound).expect("written");
                problems
            }
        };
        assert_has(&problems, &expected);
    }
    let mut files = epub;
    files.remove("OEBPS/back.xhtml");
    assert_has(
        &built.check_epub(&files),
        "back.xhtml: is missing in the EPUB",
    );
}

#[test]
fn a_class_without_a_rule_is_reported() {
    let style = epub::STYLE
        .replace("svg.course .run,", "")
        .replace(".wake", ".wakes");
    let unstyled = check::unstyled(&built().book, &style);
    assert_eq!(unstyled.into_iter().collect::<Vec<_>>(), ["run", "wake"]);
}

/// The exported files of a site.
fn exports(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = [
        "front.md",
        "page.md",
        "deep/low.md",
        "back.md",
        "llms.txt",
        "llms-full.txt",
        "scratch.epub",
    ];
    let read = |name: &str| (name.to_owned(), fs::read(folder.join(name)).expect(name));
    names.into_iter().map(read).collect()
}

#[test]
fn unchanged_exports_are_copied_and_changed_ones_are_made_again() {
    let Built {
        project, scratch, ..
    } = built();
    let build = || {
        let book = site::build(&project, &scratch.path("built")).expect("it builds");
        exports(&book.site)
    };
    let cache = scratch.path("target/export/cache");
    let cold = || {
        fs::remove_dir_all(&cache).expect("there is a cache");
        build()
    };
    let first = cold();
    assert!(build() == first, "the copies differ from what was made");
    let entry = fs::read_dir(&cache)
        .expect("a folder")
        .next()
        .expect("an entry");
    let copied = entry.expect("an entry").path().join("front.md");
    fs::write(copied, "from the cache").expect("written");
    assert_eq!(build()["front.md"], b"from the cache");
    for (file, text) in [
        ("src/front.md", "# Front\n\n![A picture](picture.svg)\n"),
        (
            "src/picture.svg",
            "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"new\"/>\n",
        ),
        ("listings/demo/src/bin/shown.out", "other\n"),
        (
            "src/SUMMARY.md",
            "# Summary\n\n[Front](front.md)\n\n- [Page](page.md)\n- [Low](deep/low.md)\n- [Back](back.md)\n",
        ),
    ] {
        let before = build();
        scratch.write(file, text);
        let after = build();
        assert!(after != before, "{file} changed, the exports didn't");
        assert!(
            after == cold(),
            "{file} changed, and an export is out of date"
        );
    }
}

/// `tests/pages.rs` reports them with their lines. The author can look at the page all the same.
#[test]
fn a_link_to_no_page_becomes_text_and_a_missing_picture_is_left_out() {
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
fn the_pdf_is_linked_from_the_pages_that_mention_it() {
    let built = built();
    site::link_pdf(&built.book).expect("a page mentions it");
    let back = built.scratch.read("built/back.html");
    let link = "<a href=\"scratch.pdf\"><strong>PDF</strong></a>";
    assert!(back.contains(link), "{back}");
    let scratch = Scratch::sound();
    let project = Project::open(scratch.root()).expect("a book");
    let book = Book::build(&project, &scratch.path("built")).expect("it builds");
    let error = site::link_pdf(&book).expect_err("no page mentions it");
    let error = error.to_string();
    assert!(error.starts_with("no page mentions the PDF"), "{error}");
}

#[test]
fn the_error_of_a_failed_print_has_the_programs_own_words() {
    let built = built();
    let to = built.scratch.path("x.pdf");
    // Any program that is not Chromium.
    let cargo = std::env::var_os("CARGO").expect("cargo runs this");
    let work = built.scratch.root();
    let error = export::pdf::write(&built.book, Path::new(&cargo), work, &to);
    let error = error.expect_err("no PDF").to_string();
    let expected = "Its standard error:\nerror: unexpected argument";
    assert!(error.contains(expected), "{error}");
    assert!(!to.exists());
}
