//! A build that renders only what changed writes the same bytes as a build of everything.

use model::Project;
use render::site;
use scratch::{HELLO, PAGE, Scratch};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const OUTPUT: &str = "listings/demo/src/bin/hello.out";

fn build(book: &Scratch, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let project = Project::open(book.root()).expect("a book");
    let site = book.path(folder);
    site::build(&project, &site).expect("the book builds");
    let mut files = BTreeMap::new();
    collect(&site, &site, &mut files);
    files
}

fn collect(folder: &Path, site: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, site, files);
        } else {
            let name = path.strip_prefix(site).expect("below the site").to_owned();
            files.insert(name, fs::read(&path).expect("a file"));
        }
    }
}

fn kept(book: &Scratch) -> usize {
    fs::read_dir(book.path("target/book/pages"))
        .expect("kept pages")
        .count()
}

#[test]
fn an_incremental_build_writes_the_same_bytes_as_a_full_one() {
    let book = Scratch::sound();
    let config = book.read("book.toml").replace("hash-files = false\n", "");
    book.write("book.toml", &config);
    book.write(
        "src/SUMMARY.md",
        "# Summary\n\n- [Page](page.md)\n- [Other](deep/other.md)\n",
    );
    book.write(
        "src/deep/other.md",
        "# Other\n\n[Back](../page.md)\n\n{{#count pages}} pages.\n",
    );
    let book = &book;
    let write = |file: &'static str, text: &str| {
        let text = text.to_owned();
        Box::new(move || book.write(file, &text)) as Box<dyn Fn()>
    };
    let summary = "# Summary\n\n- [Other](deep/other.md)\n- [Renamed](page.md)\n";
    let edits = [
        ("nothing", Box::new(|| ()) as Box<dyn Fn()>),
        ("a page", write("src/page.md", &format!("{PAGE}\nMore.\n"))),
        (
            "a listing",
            write(
                "listings/demo/src/bin/hello.rs",
                &HELLO.replace("Say", "Write"),
            ),
        ),
        ("an output", write(OUTPUT, "hello again\n")),
        ("the table of contents", write("src/SUMMARY.md", summary)),
        (
            "another page, which is counted",
            write("src/third.md", "# Third\n"),
        ),
        (
            "the theme",
            write("theme/head.hbs", "<meta name=\"a\" content=\"b\">\n"),
        ),
        (
            "the theme once more",
            write("theme/head.hbs", "<meta name=\"a\" content=\"c\">\n"),
        ),
        (
            "a style of the theme",
            write("theme/css/general.css", "body { color: red }\n"),
        ),
        (
            "the configuration",
            write("book.toml", &config.replace("Scratch", "Scrap")),
        ),
        ("a page as it was", write("src/page.md", PAGE)),
    ];
    build(book, "site");
    for (what, edit) in edits {
        edit();
        let incremental = build(book, "site");
        // Two pages, and the first one as index.html.
        assert_eq!(kept(book), 3, "{what}");
        fs::remove_dir_all(book.path("target")).expect("kept pages");
        assert_eq!(incremental, build(book, "whole"), "{what}");
    }
}

#[test]
fn a_page_that_did_not_change_is_not_rendered_again() {
    let book = Scratch::sound();
    build(&book, "site");
    for entry in fs::read_dir(book.path("target/book/pages")).expect("kept pages") {
        fs::write(entry.expect("an entry").path(), "kept").expect("it can be written");
    }
    assert_eq!(build(&book, "site")[Path::new("page.html")], b"kept");
    book.write(OUTPUT, "other\n");
    assert_ne!(build(&book, "site")[Path::new("page.html")], b"kept");
}
