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
    let edits = [
        ("src/page.md", format!("{PAGE}\nMore.\n")),
        (
            "listings/demo/src/bin/hello.rs",
            HELLO.replace("Say", "Write"),
        ),
        (OUTPUT, "hello again\n".to_owned()),
        (
            "src/SUMMARY.md",
            "# Summary\n\n- [Other](deep/other.md)\n- [Renamed](page.md)\n".to_owned(),
        ),
        // Another page, which is counted.
        ("src/third.md", "# Third\n".to_owned()),
        (
            "theme/head.hbs",
            "<meta name=\"a\" content=\"b\">\n".to_owned(),
        ),
        (
            "theme/head.hbs",
            "<meta name=\"a\" content=\"c\">\n".to_owned(),
        ),
        ("theme/css/general.css", "body { color: red }\n".to_owned()),
        ("book.toml", config.replace("Scratch", "Scrap")),
        // As it was, and nothing.
        ("src/page.md", PAGE.to_owned()),
        ("src/page.md", PAGE.to_owned()),
    ];
    build(&book, "site");
    for (file, text) in edits {
        book.write(file, text);
        let incremental = build(&book, "site");
        // Two pages, and the first one as index.html.
        assert_eq!(kept(&book), 3, "{file}");
        fs::remove_dir_all(book.path("target")).expect("kept pages");
        assert_eq!(incremental, build(&book, "whole"), "{file}");
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
