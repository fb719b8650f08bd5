//! Each check finds what it's there for: a sound book is broken in one way, and the messages name the place.
//!
//! Most tests run all checks, so that the expected text also shows that no other check complains.

use expect_test::expect;
use model::uses::Page;
use model::{Problem, Project};
use render::site;
use scratch::{HELLO, PAGE, Scratch, assert_has, render};
use std::process::Command;
use verify::identifiers::{Items, unverified_identifiers};
use verify::{
    checks, disabled_tests, hazards, length, links, messages, orphans, outside, page_text, prose,
    published, tables, weekly_coverage,
};

const HELLO_FILE: &str = "listings/demo/src/bin/hello.rs";

fn project(book: &Scratch) -> Project {
    Project::open(book.root()).expect("a book")
}

fn built(book: &Scratch) -> Vec<site::Page> {
    site::build(&project(book), &book.path("built")).expect("the book builds")
}

/// What all checks find in a book that is built already.
fn problems(book: &Scratch, pages: &[site::Page]) -> String {
    let (project, site) = (&project(book), &book.path("built"));
    let found: Result<Vec<Vec<Problem>>, Problem> = [
        Ok(orphans::pages(project, pages)),
        orphans::listing_files(project),
        orphans::unlinked_files(project, "src", &["src/page.md".to_owned()]),
        orphans::unused_theme(project),
        checks::unshown(project),
        checks::duplicate_names(project),
        checks::altered_programs(project, site, pages),
        links::broken(project, site, pages),
        outside::resources(project, site, pages),
        messages::never_printed(project),
        Ok(tables::missing_headers(project)),
        Ok(length::too_long(project)),
        prose::check(project),
        unverified_identifiers(project, &Items::new()),
    ]
    .into_iter()
    .collect();
    render(found.map(|found| found.concat()))
}

/// Builds a book, and returns what all checks find.
fn all_problems(book: &Scratch) -> String {
    problems(book, &built(book))
}

/// A sound book with these files as well.
fn with(files: &[(&str, &str)]) -> Scratch {
    let book = Scratch::sound();
    for (file, text) in files {
        book.write(file, text);
    }
    book
}

/// A sound book whose page has this as well, from line 8 on.
fn with_page(more: &str) -> Scratch {
    with(&[("src/page.md", &format!("{PAGE}\n{more}"))])
}

#[test]
fn a_sound_book_has_no_problems() {
    assert_eq!(all_problems(&Scratch::sound()), "");
}

#[test]
fn what_no_page_shows_is_found() {
    let book = with(&[
        ("src/part/lost.md", "# Lost\n"),
        ("src/part/lost.svg", "<svg/>"),
        ("src/lost.js", ""),
        ("theme/lost.css", ""),
        (
            "listings/demo/compile_fail/bad.rs",
            "//! Bad.\nfn main() { 1 }\n",
        ),
        ("listings/demo/unstable/Cargo.toml", ""),
        (
            "listings/demo/unstable/dump.rs",
            "//! A dump.\n\nfn main() {}\n",
        ),
        ("listings/demo/unstable/dump.out", "dumped\n"),
    ]);
    book.listing("unseen", "    println!(\"unseen\");", "unseen\n");
    let anchor = HELLO.replace("    println", "    // ANCHOR: greet\n    println");
    book.write(
        HELLO_FILE,
        anchor.replace("\n}", "\n    // ANCHOR_END: greet\n}"),
    );
    expect![[r#"
        src/part/lost.md: isn't in src/SUMMARY.md, so no reader finds it
        src/lost.js: nothing links to it; link to it, or remove it
        src/part/lost.svg: nothing links to it; link to it, or remove it
        theme/lost.css: book.toml doesn't name it, so no page loads it; add it to additional-css or additional-js
        listings/demo/src/bin/hello.rs:4: no page shows the anchor `greet`
        listings/demo/src/bin/unseen.rs: no page shows it; add {{#listing demo/unseen}} to one, or remove it
        listings/demo/src/bin/unseen.out: no page shows it; add {{#output demo/unseen}}
        listings/demo/compile_fail/bad.rs: no page shows it; add {{#compile_fail demo/bad}} to one, or remove it
        listings/demo/unstable/dump.rs: no page shows it; add {{#unstable demo/dump}} to one, or remove it
        listings/demo/unstable/dump.out: no page shows it; add {{#output demo/dump}}
    "#]].assert_eq(&all_problems(&book));
}

#[test]
fn what_a_page_shows_and_what_mdbook_looks_for_is_no_orphan() {
    let book =
        with_page("{{#unstable demo/dump}}\n\n{{#output demo/dump}}\n\n![A dot.](dot.svg)\n");
    for (file, text) in [
        ("src/dot.svg", "<svg/>"),
        ("src/loaded.js", ""),
        ("theme/book.js", "load('loaded.js')"),
        ("theme/head.hbs", ""),
        ("theme/css/general.css", ""),
        ("theme/favicon.png", ""),
        ("listings/demo/unstable/Cargo.toml", ""),
        (
            "listings/demo/unstable/dump.rs",
            "//! A dump.\n\nfn main() {}\n",
        ),
        ("listings/demo/unstable/dump.out", "dumped\n"),
    ] {
        book.write(file, text);
    }
    assert_eq!(all_problems(&book), "");
}

#[test]
fn another_directive_and_the_listing_of_another_name_show_nothing() {
    let book = with_page("{{#listing demo/hello_seen}}\n\n{{#listing demo/seen}}\n");
    book.listing("seen", "    println!(\"seen\");", "seen\n");
    book.listing("hello_seen", "    println!(\"seen\");", "seen\n");
    book.listing("hel", "    println!(\"seen\");", "seen\n");
    expect![[r#"
        listings/demo/src/bin/hel.rs: no page shows it; add {{#listing demo/hel}} to one, or remove it
        listings/demo/src/bin/hel.out: no page shows it; add {{#output demo/hel}}
        listings/demo/src/bin/hello_seen.out: no page shows it; add {{#output demo/hello_seen}}
        listings/demo/src/bin/seen.out: no page shows it; add {{#output demo/seen}}
    "#]].assert_eq(&all_problems(&book));
}

#[test]
fn an_excerpt_fits_a_screen() {
    let with_lines = |lines: usize| {
        let body = "    print!();\n".repeat(lines - 2);
        with(&[(HELLO_FILE, &format!("//! Hi.\nfn main() {{\n{body}}}\n"))])
    };
    assert_eq!(all_problems(&with_lines(checks::SCREEN)), "");
    expect![[r#"
        listings/demo/src/bin/hello.rs: the program shows 41 lines, and 40 fit a screen; show less of it
    "#]].assert_eq(&all_problems(&with_lines(checks::SCREEN + 1)));
}

#[test]
fn files_that_belong_to_no_program_are_found() {
    let book = with(&[
        ("listings/demo/compile_fail/bad.rs", ""),
        ("listings/demo/compile_fail/bad.stderr", ""),
    ]);
    for file in [
        "demo/src/bin/gone.out",
        "demo/src/bin/gone.timeline.json",
        "demo/src/bin/hello.timeline.json",
        "demo/src/bin/hello.json",
        "demo/compile_fail/gone.stderr",
        "demo/compile_fail/bad.out",
        "demo/unstable/gone.out",
        "demo/src/lib.rs",
        "demo/src/bin/nested/main.rs",
        "demo/examples/old.rs",
        "notes.txt",
        "lost/Cargo.tml",
        "lost/src/bin/a.rs",
        "lost/compile_fail/b.rs",
    ] {
        book.write(&format!("listings/{file}"), "");
    }
    let found = render(orphans::listing_files(&project(&book)));
    expect![[r#"
        listings/demo/compile_fail/bad.out: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/demo/compile_fail/gone.stderr: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/demo/examples/old.rs: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/demo/src/bin/gone.out: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/demo/src/bin/gone.timeline.json: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/demo/src/bin/hello.json: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/demo/src/bin/nested/main.rs: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/demo/src/lib.rs: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/demo/unstable/gone.out: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/lost/Cargo.tml: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/lost/compile_fail/b.rs: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/lost/src/bin/a.rs: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/notes.txt: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
    "#]].assert_eq(&found);
}

/// A crate that isn't a part.
const CRATE: &[(&str, &str)] = &[
    (
        "listings/shop/Cargo.toml",
        "[package]\nname = \"shop\"\n\n[dependencies]\n",
    ),
    (
        "listings/shop/src/lib.rs",
        "//! A shop.\n\npub mod store;\n\nconst SCHEMA: &str = include_str!(\"../schema/orders.sql\");\n",
    ),
    (
        "listings/shop/src/store.rs",
        "//! Keeps orders.\n\n// ANCHOR: put\npub fn put(order: u32) -> u32 {\n    order + 4711\n}\n// ANCHOR_END: put\n\n// `mislaid`\npub fn get() -> u32 {\n    4712\n}\n",
    ),
    ("listings/shop/examples/step.out", "sold 4713\n"),
    (
        "listings/shop/schema/orders.sql",
        "CREATE TABLE orders (id);\n",
    ),
];

const SHOWN: &str = "{{#source shop/src/store.rs:put}}\n\n{{#source shop/examples/step.out}}\n\n{{#manifest shop}}\n";

/// A sound book with a crate that isn't a part, and this on its page as well.
fn with_crate(more: &str) -> Scratch {
    let book = with(CRATE);
    book.write("src/page.md", format!("{PAGE}\n{more}"));
    book
}

#[test]
fn a_crate_whose_files_a_page_shows_has_no_problems() {
    let book = with_crate(&format!(
        "{SHOWN}\n`put` adds 4711 ms, and not `order * 4713`.\n"
    ));
    assert_eq!(all_problems(&book), "");
    assert_eq!(render(hazards::find(&project(&book))), "");
}

#[test]
fn a_name_may_be_elsewhere_in_the_file_of_a_crate_and_a_number_must_be_shown() {
    let book = with_crate(&format!("{SHOWN}\n`get` and `gett`\n\n4712 ms\n"));
    expect![[r#"
        src/page.md:16: `4712 ms` is in no program and no output on this page; count or measure it in a listing, and show that
        src/page.md:14: `gett` is in no program, output, or manifest on this page, so nothing checks that it exists; did you mean `get`?. Correct it, show it, or, if it's an API, write it as a link: [`gett`]
    "#]]
    .assert_eq(&all_problems(&book));
}

#[test]
fn what_is_wrong_with_a_crate_is_found() {
    let book = with_crate("`put` and `get`, 4711 ms\n");
    let store = book.read("listings/shop/src/store.rs");
    let long = "// ANCHOR: long\n".to_owned() + &"// x\nconst _: () = ();\n".repeat(21);
    book.write(
        "listings/shop/src/store.rs",
        format!("{store}{long}// ANCHOR_END: long\n#[allow(unused)]\nfn unused() {{}}\n"),
    );
    book.write("listings/shop/src/open.rs", "// ANCHOR: open\n");
    book.write("listings/shop/notes.txt", "");
    expect![[r#"
        listings/shop/examples/step.out: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/shop/notes.txt: belongs to no program, so nothing verifies it; expected are programs (.rs) in src/bin, compile_fail, and unstable, with their records beside them; or, in a crate that isn't a part, code, and files that its code names or a page shows
        listings/shop/src/open.rs:1: anchor `open` is opened here but never closed; add `// ANCHOR_END: open`
        listings/shop/src/store.rs:3: no page shows the anchor `put`
        listings/shop/src/store.rs:13: no page shows the anchor `long`
        src/page.md:8: `4711 ms` is in no program and no output on this page; count or measure it in a listing, and show that
        src/page.md:8: `put` is in no program, output, or manifest on this page, so nothing checks that it exists. Correct it, show it, or, if it's an API, write it as a link: [`put`]
        src/page.md:8: `get` is in no program, output, or manifest on this page, so nothing checks that it exists. Correct it, show it, or, if it's an API, write it as a link: [`get`]
    "#]]
    .assert_eq(&all_problems(&book));
    let show_long = "{{#source shop/src/store.rs:long}}\n";
    book.write("src/page.md", format!("{PAGE}\n{SHOWN}\n{show_long}"));
    book.remove("listings/shop/src/open.rs");
    book.remove("listings/shop/notes.txt");
    expect![[r#"
        listings/shop/src/store.rs: anchor `long` shows 42 lines, and 40 fit a screen; show less of it
    "#]]
    .assert_eq(&all_problems(&book));
    let found = render(disabled_tests::find(&project(&book)));
    expect![[r#"
        listings/shop/src/store.rs:57: this silences a lint; write the code so that the lint doesn't fire
        listings/demo/Cargo.toml:1: the array `bin` has no entry `{ name = "hello", test = false }`; `cargo book new` writes this array
    "#]]
    .assert_eq(&found);
}

#[test]
fn a_block_that_differs_from_its_crates_file_is_found() {
    let book = with_crate(SHOWN);
    let pages = built(&book);
    let file = "listings/shop/src/store.rs";
    book.write(file, book.read(file).replace("order + 4711", "order"));
    expect![[r#"
        src/page.md:8: this block isn't the program's text
    "#]]
    .assert_eq(&problems(&book, &pages));
}

#[test]
fn two_listings_with_one_name_are_found() {
    let book = Scratch::sound();
    let manifest = book.read("listings/demo/Cargo.toml");
    book.write(
        "listings/other/Cargo.toml",
        manifest.replace("demo", "other"),
    );
    book.write("listings/other/src/bin/hello.rs", HELLO);
    let found = render(checks::duplicate_names(&project(&book)));
    expect![[r#"
        listings/other/src/bin/hello.rs: `demo/hello` has the same name, and `cargo run --bin hello` must mean one program; rename it
    "#]].assert_eq(&found);
}

#[test]
fn a_block_that_differs_from_its_program_is_found() {
    let book = Scratch::sound();
    let pages = built(&book);
    book.write(HELLO_FILE, HELLO.replace("hello", "goodbye"));
    expect![[r#"
        src/page.md:5: this block isn't the program's text
    "#]]
    .assert_eq(&problems(&book, &pages));
    book.write(HELLO_FILE, HELLO);
    let html = book.read("built/page.html");
    let smuggled = "<pre><code class=\"language-rust\">fn main() {}</code></pre></main>";
    book.write("built/page.html", html.replace("</main>", smuggled));
    expect![[r#"
        src/page.md: readers see 2 blocks of Rust here, but 1 directives put programs on this page
    "#]]
    .assert_eq(&problems(&book, &pages));
}

#[test]
fn broken_links_are_found_with_their_lines() {
    let book = with_page(
        "[a](nowhere.md)\n\n[b](page.md#pag)\n\n![c](no.png)\n\n[d][undefined]\n\n[e](../book.toml)\n\n\
         [f](https://example.com/x) [g](page.md#page) [h](#page)\n\n[i](https://docs.rs/tokio/1.2.3/tokio/)\n\n\
         [j](https://doc.rust-lang.org/std/)\n\n[k](https://docs.rs/other/) [l](https://doc.rust-lang.org/book/)\n",
    );
    let lock = "[[package]]\nname = \"demo\"\nversion = \"0.1.0\"\ndependencies = [\"tokio\"]\n";
    book.write("Cargo.lock", lock);
    expect![[r#"
        src/page.md:8: the link `nowhere.md` leads to nowhere.html, which does not exist
        src/page.md:10: the link `page.md#pag` leads to a heading that page.html does not have; did you mean `#page`?
        src/page.md:12: the link `no.png` leads to no.png, which does not exist
        src/page.md:14: this reference has no definition (or this definition no reference)
        src/page.md:16: the link `../book.toml` leads out of the book
        src/page.md:20: the link `https://docs.rs/tokio/1.2.3/tokio/` is hand-written and goes stale; name the API instead, as in [`JoinSet::len`] or [text][tokio::task::JoinSet], and it becomes a link to the version in Cargo.lock
        src/page.md:22: the link `https://doc.rust-lang.org/std/` is hand-written and goes stale; name the API instead, as in [`JoinSet::len`] or [text][tokio::task::JoinSet], and it becomes a link to the version in Cargo.lock
    "#]].assert_eq(&all_problems(&book));
    book.write(
        "README.md",
        "# A b\n\n[a](src/page.md#page) [b](#a-b) [c](src)\n[d](docs/no.png) [e](#a-c)\n",
    );
    let found = render(links::broken_in_document(&project(&book), "README.md"));
    expect![[r#"
        README.md:4: the link `docs/no.png` leads to docs/no.png, which does not exist
        README.md:4: the link `#a-c` leads to a heading that README.md does not have; did you mean `#a-b`?
    "#]].assert_eq(&found);
}

#[test]
fn disabled_tests_and_mistakes_without_a_test_are_found() {
    let book = Scratch::sound();
    book.listing("off", "}\n#[test]\n#[ignore]\nfn works() {", "");
    for (name, test) in [
        ("wrong", ""),
        ("plain", "#[test]"),
        ("paused", "#[tokio::test(start_paused = true)]"),
    ] {
        let text = format!("//! Wrong: it leaks.\nfn main() {{}}\n{test}\nfn leaks() {{}}\n");
        book.write(&format!("listings/demo/src/bin/{name}.rs"), text);
    }
    let bins = ["hello", "off", "paused", "plain", "wrong"]
        .map(|name| format!("    {{ name = \"{name}\", test = false }},\n"))
        .concat();
    let manifest = book.read("listings/demo/Cargo.toml");
    book.write(
        "listings/demo/Cargo.toml",
        format!("bin = [\n{bins}]\n\n{manifest}"),
    );
    let found = render(disabled_tests::find(&project(&book)));
    expect![[r#"
        listings/demo/src/bin/off.rs:6: an ignored test verifies nothing; remove #[ignore]
        listings/demo/src/bin/wrong.rs: shows a mistake without a test; add one that fails when the mistake no longer does harm
    "#]].assert_eq(&found);
}

#[test]
fn what_a_page_loads_from_another_server_is_found() {
    let book = with_page(
        "![A dot.](https://example.com/dot.png)\n\n<video src=\"//example.com/a.mp4\"></video>\n\n\
         [a link](https://example.com/)\n\n![](dot.svg)\n",
    );
    book.write("src/dot.svg", "<svg/>");
    let fonts = "\n@import url(https://example.com/f.css);\n";
    book.write("theme/fonts/fonts.css", fonts);
    book.write("theme/book.js", "load('find.js')");
    book.write("src/find.js", "fetch('https://example.com/index');\n");
    expect![[r#"
        src/page.md:10: the link `//example.com/a.mp4` leads out of the book
        src/page.md:8: <img> loads https://example.com/dot.png, which fails without a network; keep a copy in this repository
        src/page.md:10: <video> loads //example.com/a.mp4, which fails without a network; keep a copy in this repository
        src/page.md:14: the image dot.svg has no alt text; describe it: ![description](dot.svg)
        theme/fonts/fonts.css:2: loads https://example.com/f.css, which fails without a network; keep a copy in this repository
        src/find.js:1: loads https://example.com/index, which fails without a network; keep a copy in this repository
    "#]].assert_eq(&all_problems(&book));
}

#[test]
fn the_canonical_address_of_a_page_is_not_loaded() {
    let book = Scratch::sound();
    let pages = built(&book);
    let html = book.read("built/page.html");
    for (rel, loaded) in [("canonical", 0), ("stylesheet", 1)] {
        let link = format!("<link rel=\"{rel}\" href=\"https://example.com/a\"></head>");
        book.write("built/page.html", html.replace("</head>", &link));
        let found = outside::resources(&project(&book), &book.path("built"), &pages);
        assert_eq!(found.expect("the page can be read").len(), loaded, "{rel}");
    }
}

#[test]
fn identifiers_and_numbers_must_be_in_what_their_own_page_shows() {
    let book = with_page("`invoice`\n\n4711 ms\n\n`let x`\n\nTokio 1.2\n");
    book.listing(
        "pay",
        "    let invoice = 4711; println!(\"{invoice}\");",
        "4711\n",
    );
    let summary = "# Summary\n\n- [Page](page.md)\n- [Other](other.md)\n";
    book.write("src/SUMMARY.md", summary);
    let other = "# Other\n\n{{#listing demo/pay}}\n{{#output demo/pay}}\n\n`invoice` 4711 ms\n\n{{#manifest demo}}\n";
    book.write("src/other.md", other);
    let lock = "[[package]]\nname = \"demo\"\nversion = \"0.1.0\"\ndependencies = [\"tokio\"]\n";
    book.write("Cargo.lock", lock);
    expect![[r#"
        src/page.md:14: `Tokio 1.2` is a hand-written version, which goes stale; write {{#version tokio}}, which comes from Cargo.lock
        src/page.md:10: `4711 ms` is in no program and no output on this page; count or measure it in a listing, and show that
        src/page.md:8: `invoice` is in no program, output, or manifest on this page, so nothing checks that it exists. Correct it, show it, or, if it's an API, write it as a link: [`invoice`]
    "#]].assert_eq(&all_problems(&book));
    let page = Page::parse("src/other.md", other);
    let all = &page_text::of(&project(&book), &page).expect("the listings can be read");
    assert_has(all, "let invoice = 4711");
    assert_has(all, "[dependencies]");
    assert!(!all.contains("hello"), "{all}");
}

#[test]
fn a_weekly_run_that_misses_something_is_found() {
    const WEEKLY: &str = ".github/workflows/fresh.yml";
    const WORKFLOW: &str = "on:\n  schedule:\n    - cron: \"23 4 * * 1\"\nrun: |\n  cargo update\n  bash .ci/run\n\
                            run: rustup toolchain install beta\nrun: bash .ci/run\nrun: cargo book drift --seed 2\nrun: gh issue create\n";
    let book = Scratch::sound();
    let manifest = book.read("Cargo.toml");
    let mut found = String::new();
    for (file, from, to) in [
        (WEEKLY, "", ""),
        (WEEKLY, "- cron: \"23 4 * * 1\"", ""),
        (WEEKLY, "4 * * 1", "4 1 1 *"),
        (WEEKLY, "cargo update", "# cargo update"),
        (WEEKLY, "  bash .ci/run\n", ""),
        (WEEKLY, "run: bash .ci/run\n", ""),
        (WEEKLY, "beta", "stable"),
        (WEEKLY, "cargo book drift", "echo"),
        (WEEKLY, "gh issue create", "echo"),
        (WEEKLY, "2\nrun", "2 ||:\nrun"),
        (WEEKLY, "on:", "continue-on-error: true"),
        (
            ".github/workflows/verify.yml",
            "bash .ci/run",
            "cargo build",
        ),
        (".ci/run", "cargo test", "cargo test || true"),
        (".ci/run", "cargo test", "set +e\ncargo test ; true"),
        ("Cargo.toml", "resolver", "tokio = \"=1.54\"\nresolver"),
        ("Cargo.toml", "resolver", "tokio = \">=1, <1.60\"\nresolver"),
        (
            "Cargo.toml",
            "resolver",
            "a = { version = \"~1.54.1\" }\nresolver",
        ),
        (
            "Cargo.toml",
            "resolver",
            "a = { version = \"1.54\" }\nresolver",
        ),
    ] {
        book.write(WEEKLY, WORKFLOW);
        book.write(".github/workflows/verify.yml", "run: bash .ci/run\n");
        book.write(".ci/run", "# never || true\na || fail 'no'\ncargo test\n");
        book.write("Cargo.toml", &manifest);
        book.write(file, book.read(file).replacen(from, to, 1));
        found += &render(weekly_coverage::gaps(&project(&book)));
    }
    expect![[r#"
        .github/workflows/fresh.yml: a weekly schedule is missing: nothing matches `- cron: "\d+ \d+ \* \* [0-6*]"`
        .github/workflows/fresh.yml: a weekly schedule is missing: nothing matches `- cron: "\d+ \d+ \* \* [0-6*]"`
        .github/workflows/fresh.yml: a run with the newest dependencies is missing: nothing matches `cargo update\s+bash \.ci/run`
        .github/workflows/fresh.yml: a run with the newest dependencies is missing: nothing matches `cargo update\s+bash \.ci/run`
        .github/workflows/fresh.yml: a run with beta Rust is missing: nothing matches `(?s)toolchain install beta.*bash \.ci/run`
        .github/workflows/fresh.yml: a run with beta Rust is missing: nothing matches `(?s)toolchain install beta.*bash \.ci/run`
        .github/workflows/fresh.yml: a run that breaks other places is missing: nothing matches `cargo book drift --seed`
        .github/workflows/fresh.yml: a report of failures is missing: nothing matches `gh issue create`
        .github/workflows/fresh.yml:9: `run: cargo book drift --seed 2 ||:` ignores a failure
        .github/workflows/fresh.yml:1: `continue-on-error: true` ignores a failure
        .github/workflows/verify.yml: the verification is missing: nothing matches `bash \.ci/run`
        .ci/run:3: `cargo test || true` ignores a failure
        .ci/run:3: `set +e` ignores a failure
        .ci/run:4: `cargo test ; true` ignores a failure
        Cargo.toml:3: `tokio = "=1.54"` pins this dependency, so no newer release is tried
        Cargo.toml:3: `tokio = ">=1, <1.60"` pins this dependency, so no newer release is tried
        Cargo.toml:3: `a = { version = "~1.54.1" }` pins this dependency, so no newer release is tried
    "#]].assert_eq(&found);
}

#[test]
fn a_published_address_is_not_lost() {
    let mut found = String::new();
    for (list, redirects) in [
        ("page.html\npage.html#why\n", ""),
        (
            "old.html\nold.html#why\n",
            "\"/old.html\" = \"page.html\"\n",
        ),
        (
            "page.html#old\n",
            "\"/page.html#old\" = \"page.html#why\"\n",
        ),
        (
            "old.html\nold.html#how\n",
            "\"/old.html#how\" = \"page.html\"\n",
        ),
        ("page.html#how\n", ""),
        ("old.html\n", "\"/old.html\" = \"gone.html\"\n"),
        (
            "",
            "\"/page.html#old\" = \"page.html#how\"\n\"/page.html#why\" = \"page.html\"\n",
        ),
    ] {
        let book = with(&[("published.txt", list)]);
        let (page, config) = (book.read("src/page.md"), book.read("book.toml"));
        book.write("src/page.md", format!("{page}\n## Why\n"));
        book.write(
            "book.toml",
            format!("{config}\n[output.html.redirect]\n{redirects}"),
        );
        found += &render(published::lost_addresses(&project(&book)));
        let unlisted = published::unlisted(&project(&book));
        found += &unlisted.expect("the list can be read").0.replace('\n', " ");
        found.push('\n');
    }
    expect![[r#"
        page.html page.html#why 
        old.html old.html#why page.html page.html#why 
        page.html page.html#old page.html#why 
        published.txt:1: the page old.html was published and no longer exists; add "/old.html" = "..." with its new address to [output.html.redirect] in book.toml, so that links to it keep working
        old.html old.html#how page.html page.html#why 
        published.txt:1: the heading page.html#how was published and no longer exists; add "/page.html#how" = "..." with its new address to [output.html.redirect] in book.toml, so that links to it keep working
        page.html page.html#how page.html#why 
        book.toml: the redirect from /old.html leads to gone.html, which isn't a page
        old.html page.html page.html#why 
        book.toml: the redirect from /page.html#old leads to a heading that page.html does not have, #how
        book.toml: the redirect from /page.html#why hides the page or heading with that address
        page.html page.html#why 
    "#]].assert_eq(&found);
}

#[test]
fn an_address_that_is_removed_from_the_list_is_found() {
    let book = with(&[("published.txt", "first.html\npage.html\n")]);
    let git = |arguments: &[&str]| {
        let status = Command::new("git")
            .args(["-c", "user.name=x", "-c", "user.email=x@localhost"])
            .args(arguments)
            .current_dir(book.root())
            .status()
            .expect("git starts");
        assert!(status.success(), "{arguments:?}");
    };
    let found = || render(published::removed(&project(&book)));
    assert_eq!(found(), "");
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message=One"]);
    book.write("published.txt", "page.html\n");
    let expected = expect![[r#"
        published.txt: the address first.html was removed from this list; put it back, because others link to it
    "#]];
    expected.assert_eq(&found());
    git(&["commit", "--quiet", "--all", "--message=Two"]);
    expected.assert_eq(&found());
    book.write("published.txt", "first.html\npage.html\n");
    assert_eq!(found(), "");
}
