//! Each check of `verify::checks` and `verify::links` finds what it is there for: a sound book is broken
//! in one way, and the message names the place.

use render::site::Page;
use model::{Problem, Project};
use render::site;
use scratch::{HELLO, PAGE, Scratch};
use verify::{checks, guards, links, names, outside, prose, shown, strays, weekly};

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
    assert!(strays::stray_pages(&project, &pages).is_empty());
    assert!(checks::unshown(&project).unwrap().is_empty());
    assert!(strays::stray_files(&project).unwrap().is_empty());
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
    let found = told(strays::stray_pages(&project, &pages));
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
fn an_unstable_program_is_shown_with_its_output_and_as_it_is() {
    let book = Scratch::sound();
    let file = "listings/demo/unstable/dump.rs";
    book.write("listings/demo/unstable/Cargo.toml", "");
    book.write(file, "//! A dump.\n\nfn main() {}\n");
    book.write("listings/demo/unstable/dump.out", "dumped\n");
    book.write("listings/demo/unstable/gone.out", "gone\n");
    let found = told(checks::unshown(&built(&book).0).unwrap());
    assert_eq!(found.len(), 2, "{found:?}");
    let program = format!("{file}: no page shows it; add {{{{#unstable demo/dump}}}}");
    assert!(found[0].starts_with(&program), "{found:?}");
    let output = "listings/demo/unstable/dump.out: no page shows it; add {{#output demo/dump}}";
    assert_eq!(found[1], output);
    let found = told(strays::stray_files(&built(&book).0).unwrap());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("listings/demo/unstable/gone.out: belongs to no program"));

    let shown = format!("{PAGE}\n{{{{#unstable demo/dump}}}}\n\n{{{{#output demo/dump}}}}\n");
    book.write("src/page.md", shown);
    let (project, pages) = built(&book);
    assert_eq!(told(checks::unshown(&project).unwrap()), [""; 0]);
    let site = book.path("built");
    let altered = || told(checks::altered_programs(&project, &site, &pages).unwrap());
    assert_eq!(altered(), [""; 0]);
    book.write(file, "//! A dump.\n\nfn main() { }\n");
    let found = altered();
    assert!(
        found[0].starts_with("src/page.md:8: what a reader gets here is not"),
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
    let found = told(strays::stray_files(&built(&book).0).unwrap());
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
            "src/page.md:14: this reference has no definition (or this definition no reference)",
            "src/page.md:16: the link `../book.toml` leads out of the book",
        ]
    );
}

#[test]
fn a_link_to_the_documentation_is_not_written_by_hand() {
    let book = Scratch::sound();
    book.write(
        "Cargo.lock",
        "[[package]]\nname = \"demo\"\nversion = \"0.1.0\"\ndependencies = [\"tokio\"]\n",
    );
    let links = "\n[a](https://docs.rs/tokio/1.2.3/tokio/) [b](https://doc.rust-lang.org/std/)\n\n\
                 [c](https://docs.rs/other/) [d](https://doc.rust-lang.org/book/)\n";
    book.write("src/page.md", format!("{PAGE}{links}"));
    let (project, pages) = built(&book);
    let found = told(links::broken(&project, &book.path("built"), &pages).unwrap());
    assert_eq!(found.len(), 2, "{found:?}");
    let start = "src/page.md:8: the link `https://docs.rs/tokio/1.2.3/tokio/` is written by hand";
    assert!(found[0].starts_with(start), "{found:?}");
}

#[test]
fn links_in_a_document_of_the_repository_are_followed() {
    let book = Scratch::sound();
    book.write(
        "README.md",
        "# A b\n\n[a](src/page.md#page) [b](#a-b) [c](src)\n[d](docs/no.png) [e](#a-c)\n",
    );
    let project = Project::open(book.root()).expect("a book");
    let found = told(links::broken_in_document(&project, "README.md").unwrap());
    assert_eq!(
        found,
        [
            "README.md:4: the link `docs/no.png` leads to docs/no.png, which does not exist",
            "README.md:4: the link `#a-c` leads to a heading that README.md does not have; did you mean `#a-b`?",
        ]
    );
}

#[test]
fn a_picture_that_no_page_shows_is_found() {
    let book = Scratch::sound();
    book.write("src/shown.svg", "<svg/>");
    book.write("src/part/lost.svg", "<svg/>");
    book.write("src/page.md", format!("{PAGE}\n![x](shown.svg)\n"));
    let project = Project::open(book.root()).expect("a book");
    let pages = ["src/page.md".to_owned()];
    let found = told(strays::unlinked_files(&project, "src", &pages).unwrap());
    assert_eq!(
        found,
        ["src/part/lost.svg: nothing shows it or links to it; do so, or remove it"]
    );
}

#[test]
fn a_file_of_the_theme_that_nothing_uses_is_found() {
    let book = Scratch::sound();
    book.write("theme/lost.css", "");
    book.write("theme/favicon.svg", "<svg/>");
    let project = Project::open(book.root()).expect("a book");
    let found = told(strays::unused_theme(&project).unwrap());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("theme/lost.css: book.toml does not name it"),
        "{found:?}"
    );
}

#[test]
fn code_beside_the_programs_is_found() {
    let book = Scratch::sound();
    for file in [
        "listings/demo/src/lib.rs",
        "listings/demo/src/bin/nested/main.rs",
        "listings/demo/examples/old.rs",
        "listings/notes.txt",
    ] {
        book.write(file, "");
    }
    let project = Project::open(book.root()).expect("a book");
    let found = told(strays::stray_files(&project).unwrap());
    assert_eq!(found.len(), 4, "{found:?}");
    let start = "listings/demo/examples/old.rs: belongs to no program, and nothing verifies it";
    assert!(found[0].starts_with(start), "{found:?}");
}

#[test]
fn a_test_that_is_switched_off_is_found() {
    let book = Scratch::sound();
    book.listing("off", "}\n#[test]\n#[ignore]\nfn works() {", "");
    book.write(
        "listings/demo/src/bin/wrong.rs",
        "//! Wrong: it leaks.\n\nfn main() {}\n",
    );
    let manifest = book.read("listings/demo/Cargo.toml");
    book.write(
        "listings/demo/Cargo.toml",
        format!("{manifest}\n[[bin]]\nname = \"hello\"\ntest = false\n"),
    );
    let project = Project::open(book.root()).expect("a book");
    let found = told(guards::disabled(&project).unwrap());
    assert_eq!(
        found,
        [
            "listings/demo/src/bin/off.rs:6: a test that is ignored verifies nothing",
            "listings/demo/src/bin/wrong.rs: shows a mistake, and has no test of its own that fails when the mistake \
             no longer does harm",
            "listings/demo/Cargo.toml:10: `test = false` keeps cargo from testing the listings; remove it",
        ]
    );
}

#[test]
fn what_a_page_asks_another_server_for_is_found_with_its_line() {
    let book = Scratch::sound();
    book.write(
        "src/page.md",
        format!(
            "{PAGE}\n![A dot.](https://example.com/dot.png)\n\n<video src=\"//example.com/a.mp4\"></video>\n\n\
             [a link](https://example.com/)\n\n![](dot.svg)\n"
        ),
    );
    book.write("src/dot.svg", "<svg/>");
    book.write(
        "theme/fonts/fonts.css",
        "\n@import url(https://example.com/f.css);\n",
    );
    book.write("src/find.js", "fetch('https://example.com/index');\n");
    let (project, pages) = built(&book);
    let found = told(outside::needed(&project, &book.path("built"), &pages).unwrap());
    let starts = [
        "src/page.md:8: <img> asks for https://example.com/dot.png,",
        "src/page.md:10: <video> asks for //example.com/a.mp4,",
        "src/page.md:14: the picture dot.svg has no words",
        "theme/fonts/fonts.css:2: asks for https://example.com/f.css,",
        "src/find.js:1: asks for https://example.com/index,",
    ];
    assert_eq!(found.len(), starts.len(), "{found:?}");
    for (problem, start) in found.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
}

#[test]
fn what_is_shown_by_another_directive_or_of_another_listing_counts_for_nothing() {
    let book = Scratch::sound();
    book.listing("seen", "    println!(\"seen\");", "seen\n");
    book.write(
        "src/page.md",
        format!("{PAGE}\n{{{{#listing demo/seen}}}}\n"),
    );
    book.write(
        "listings/demo/compile_fail/bad.rs",
        "//! Bad.\nfn main() { 1 }\n",
    );
    let project = Project::open(book.root()).expect("a book");
    let found = told(checks::unshown(&project).unwrap());
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("listings/demo/src/bin/seen.out: no page shows it"),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("listings/demo/compile_fail/bad.rs: no page shows it"),
        "{found:?}"
    );
}

#[test]
fn a_screen_is_full_and_not_overfull() {
    let fits = |lines: usize| {
        let book = Scratch::sound();
        book.write(
            "listings/demo/src/bin/hello.rs",
            format!(
                "//! Hi.\nfn main() {{\n{}}}\n",
                "    print!();\n".repeat(lines - 2)
            ),
        );
        let project = Project::open(book.root()).expect("a book");
        checks::unshown(&project).unwrap().is_empty()
    };
    assert!(fits(checks::SCREEN));
    assert!(!fits(checks::SCREEN + 1));
}

#[test]
fn a_mistake_with_any_kind_of_test_is_held_on_to() {
    let book = Scratch::sound();
    for (name, test) in [
        ("plain", "#[test]"),
        ("paused", "#[tokio::test(start_paused = true)]"),
    ] {
        book.write(
            &format!("listings/demo/src/bin/{name}.rs"),
            format!("//! Wrong: it leaks.\nfn main() {{}}\n{test}\nfn leaks() {{}}\n"),
        );
    }
    let project = Project::open(book.root()).expect("a book");
    assert_eq!(
        told(guards::disabled(&project).unwrap()),
        Vec::<String>::new()
    );
}

#[test]
fn names_and_numbers_are_looked_for_in_what_their_own_page_shows() {
    let book = Scratch::sound();
    book.listing(
        "pay",
        "    let invoice = 4711; println!(\"{invoice}\");",
        "4711\n",
    );
    book.write(
        "src/SUMMARY.md",
        "# Summary\n\n- [Page](page.md)\n- [Other](other.md)\n",
    );
    book.write(
        "src/other.md",
        "# Other\n\n{{#listing demo/pay}}\n{{#output demo/pay}}\n\n`invoice` 4711 ms\n\n{{#manifest demo}}\n",
    );
    book.write(
        "src/page.md",
        format!("{PAGE}\n`invoice`\n\n4711 ms\n\n`let x`\n\nTokio 1.2\n"),
    );
    let lock = "[[package]]\nname = \"demo\"\nversion = \"0.1.0\"\ndependencies = [\"tokio\"]\n";
    book.write("Cargo.lock", lock);
    let project = Project::open(book.root()).expect("a book");
    let found = told(names::unchecked(&project, &names::Items::new()).unwrap());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("src/page.md:8: `invoice` stands in no program"),
        "{found:?}"
    );
    let found = told(prose::check(&project).unwrap());
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("src/page.md:14: `Tokio 1.2` is written by hand"),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("src/page.md:10: `4711 ms` stands in no program"),
        "{found:?}"
    );
    let all = shown::on_page(&project, "src/other.md").unwrap();
    assert!(
        all.contains("let invoice = 4711") && all.contains("[dependencies]"),
        "{all}"
    );
    assert!(!all.contains("hello"), "{all}");
}

#[test]
fn the_address_of_a_page_itself_is_told_and_not_asked_for() {
    let book = Scratch::sound();
    let (project, pages) = built(&book);
    let html = book.read("built/page.html");
    let with = |link: &str| {
        book.write(
            "built/page.html",
            html.replace("</head>", &format!("{link}</head>")),
        );
        outside::needed(&project, &book.path("built"), &pages)
            .unwrap()
            .len()
    };
    assert_eq!(
        with("<link rel=\"canonical\" href=\"https://example.com/page.html\">"),
        0
    );
    assert_eq!(
        with("<link rel=\"stylesheet\" href=\"https://example.com/a.css\">"),
        1
    );
}

#[test]
fn what_stands_in_for_a_file_of_mdbook_is_used() {
    let book = Scratch::sound();
    for file in [
        "theme/book.js",
        "theme/head.hbs",
        "theme/css/general.css",
        "theme/favicon.png",
    ] {
        book.write(file, "");
    }
    let project = Project::open(book.root()).expect("a book");
    assert_eq!(
        told(strays::unused_theme(&project).unwrap()),
        Vec::<String>::new()
    );
}

#[test]
fn programs_in_a_folder_that_is_no_part_are_found() {
    let book = Scratch::sound();
    for file in ["Cargo.tml", "src/bin/a.rs", "compile_fail/b.rs"] {
        book.write(&format!("listings/lost/{file}"), "");
    }
    book.write("listings/demo/compile_fail/bad.rs", "");
    book.write("listings/demo/compile_fail/bad.stderr", "");
    book.write("listings/demo/compile_fail/bad.out", "");
    let project = Project::open(book.root()).expect("a book");
    let files: Vec<_> = told(strays::stray_files(&project).unwrap())
        .iter()
        .filter_map(|problem| problem.split(':').next().map(str::to_owned))
        .collect();
    assert_eq!(
        files,
        [
            "listings/demo/compile_fail/bad.out",
            "listings/lost/Cargo.tml",
            "listings/lost/compile_fail/b.rs",
            "listings/lost/src/bin/a.rs",
        ]
    );
}

/// A sound book whose workflows look at everything.
fn with_workflows() -> Scratch {
    let book = Scratch::sound();
    book.write(
        ".github/workflows/fresh.yml",
        "on:\n  schedule:\n    - cron: \"23 4 * * 1\"\nrun: cargo update\nrun: bash .ci/run\nrun: rustup toolchain install beta\n\
         run: bash .ci/run\nrun: cargo book drift --seed 2\nrun: gh issue create\n",
    );
    book.write(".github/workflows/verify.yml", "run: bash .ci/run\n");
    book.write(".ci/run", "# never || true\ncargo test\n");
    book
}

fn blind_spots(book: &Scratch) -> Vec<String> {
    let project = Project::open(book.root()).expect("a book");
    told(weekly::blind_spots(&project).expect("the workflows can be read"))
}

#[test]
fn a_weekly_run_that_looks_at_everything_has_no_blind_spot() {
    assert_eq!(blind_spots(&with_workflows()), Vec::<String>::new());
}

#[test]
fn whatever_the_weekly_run_does_not_look_at_is_told() {
    let fresh = ".github/workflows/fresh.yml";
    let changes = [
        ("    - cron: \"23 4 * * 1\"\n", "", "no schedule runs it"),
        ("23 4 * * 1", "23 4 1 1 *", "no schedule runs it"),
        (
            "cargo update",
            "true",
            "it does not take the newest dependencies",
        ),
        (
            "run: bash .ci/run\n",
            "",
            "it does not verify the book twice",
        ),
        ("beta", "stable", "it does not try the next Rust"),
        (
            "cargo book drift",
            "echo",
            "it does not try other breakages",
        ),
        ("gh issue create", "echo", "nobody is told"),
    ];
    for (from, to, why) in changes {
        let book = with_workflows();
        let text = book.read(fresh).replacen(from, to, 1);
        book.write(fresh, text);
        let found = blind_spots(&book);
        assert_eq!(found.len(), 1, "{from}: {found:?}");
        assert!(
            found[0].starts_with(&format!("{fresh}: {why}")),
            "{found:?}"
        );
    }
    let book = with_workflows();
    book.write(".github/workflows/verify.yml", "run: cargo build\n");
    book.write(".ci/run", "cargo build\ncargo test || true\n");
    let manifest = book.read("Cargo.toml");
    book.write("Cargo.toml", format!("{manifest}tokio = \"=1.54\"\n"));
    let line = manifest.lines().count() + 1;
    let found = blind_spots(&book);
    let starts = [
        ".github/workflows/verify.yml: it does not verify the book".to_owned(),
        ".ci/run:2: `cargo test || true` lets a failure pass".to_owned(),
        format!("Cargo.toml:{line}: `tokio = \"=1.54\"` holds this dependency"),
    ];
    assert_eq!(found.len(), starts.len(), "{found:?}");
    for (problem, start) in found.iter().zip(starts) {
        assert!(problem.starts_with(&start), "{problem}");
    }
}
