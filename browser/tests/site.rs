//! Promise: every page works in a browser, for everyone, and without a network.
//!
//! The first test opens the book, or one page of it where `BOOK_PAGE` names that (`src/tasks/waiting.md`); the others open small books that are broken in one way, and demand
//! that it is told. All share one Chromium.

use browser::{Browser, View};
use libtest_mimic::{Arguments, Failed, Trial};
use model::{Problem, Problems, Project};
use render::site;
use scratch::{PAGE, Scratch};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Chromium, started by the first test that needs it.
type Shared = LazyLock<Result<Mutex<Browser>, String>>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let shared: Arc<Shared> = Arc::new(LazyLock::new(|| {
        let browser = Browser::start().map_err(|error| format!("{error:#}"))?;
        Ok(Mutex::new(browser))
    }));
    let test = |name, test: fn(&Shared) -> Result<(), Failed>| {
        let shared = Arc::clone(&shared);
        Trial::test(name, move || test(&shared))
    };
    let mut trials = vec![
        test("every_page_of_the_book_works", every_page_of_the_book_works),
        test("a_sound_book_has_no_problems", a_sound_book_has_no_problems),
        test("dark_is_looked_at_too", dark_is_looked_at_too),
    ];
    trials.extend(BROKEN.iter().map(|broken| {
        let shared = Arc::clone(&shared);
        Trial::test(broken.name, move || broken.is_told(&shared))
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Chromium ends here; the end of the process would drop nothing.
    drop(shared);
    conclusion.exit_code()
}

fn check(
    shared: &Shared,
    root: &Path,
    folder: &Path,
    views: &[View],
    only: Option<&str>,
) -> Result<Vec<Problem>, Failed> {
    let project = Project::open(root)?;
    let mut pages = site::build(&project, folder)?;
    if let Some(only) = only {
        pages.retain(|page| page.source == only);
        if pages.is_empty() {
            return Err(format!("BOOK_PAGE names {only}, which is no page of the book").into());
        }
    }
    let browser = LazyLock::force(shared).as_ref()?;
    let mut browser = browser.lock().unwrap_or_else(PoisonError::into_inner);
    let report = browser.check(&project, folder, &pages, views);
    report.map_err(|error| format!("{error:#}").into())
}

fn check_scratch(shared: &Shared, book: &Scratch, views: &[View]) -> Result<Vec<String>, Failed> {
    let problems = check(shared, book.root(), &book.path("built"), views, None)?;
    let Err(problems) = Problems::none_in(problems) else {
        return Ok(Vec::new());
    };
    Ok(problems.iter().map(ToString::to_string).collect())
}

fn every_page_of_the_book_works(shared: &Shared) -> Result<(), Failed> {
    let folder = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/browser-site"));
    fs::create_dir_all(folder)?;
    let only = std::env::var("BOOK_PAGE").ok();
    let problems = check(shared, Path::new(ROOT), folder, &View::ALL, only.as_deref())?;
    Problems::none_in(problems)
        .map_err(|problems| format!("the site has problems:\n{problems}").into())
}

fn a_sound_book_has_no_problems(shared: &Shared) -> Result<(), Failed> {
    equal(&check_scratch(shared, &themed(), &View::ALL)?, &[])
}

fn dark_is_looked_at_too(shared: &Shared) -> Result<(), Failed> {
    let book = themed();
    book.write(
        "theme/more.css",
        "main:has(figure) p { color: light-dark(#333, #333); }\n",
    );
    let told = check_scratch(shared, &book, &View::ALL)?;
    // One for each screen, whose letters have another size.
    let faint =
        "src/page.md:3: `<p>` is not for everyone: Elements must meet minimum color contrast";
    starts(&told, &[faint, faint])?;
    match told.iter().all(|told| told.ends_with(" dark]")) {
        true => Ok(()),
        false => Err(told[0].clone().into()),
    }
}

/// A way to break a sound book, and how each message about it starts.
struct Broken {
    name: &'static str,
    view: View,
    by: fn(&Scratch),
    told: &'static [&'static str],
}

impl Broken {
    fn is_told(&self, shared: &Shared) -> Result<(), Failed> {
        let book = themed();
        (self.by)(&book);
        starts(&check_scratch(shared, &book, &[self.view])?, self.told)
    }
}

const BROKEN: &[Broken] = &[
    Broken {
        name: "a_script_with_a_syntax_error_is_told",
        view: View::DESKTOP,
        by: |book| book.write("theme/more.js", "\nlet = ;\n"),
        told: &["theme/more.js:2: a script complains: Uncaught SyntaxError: "],
    },
    Broken {
        name: "a_script_that_throws_is_told",
        view: View::DESKTOP,
        by: |book| book.write("theme/more.js", "\n\nthrow new Error('no luck');\n"),
        told: &["theme/more.js:3: a script complains: Uncaught Error: no luck; "],
    },
    Broken {
        name: "a_script_that_fails_later_is_told",
        view: View::DESKTOP,
        by: |book| book.write("theme/more.js", "Promise.reject(new Error('no luck'));\n"),
        told: &["theme/more.js:1: a script complains: Uncaught Error: no luck; "],
    },
    Broken {
        name: "an_error_in_the_console_is_told",
        view: View::DESKTOP,
        by: |book| book.write("theme/more.js", "console.error('no luck');\n"),
        told: &["theme/more.js:1: a script complains: \"no luck\"; "],
    },
    Broken {
        name: "an_image_without_words_is_told",
        view: View::DESKTOP,
        by: |book| {
            book.write("src/dot.svg", DOT);
            book.write("src/spot.svg", DOT);
            page(book, "<img src=\"dot.svg\">\n\n![](spot.svg)\n");
        },
        told: &[
            // What enlarges the picture has its words.
            "src/page.md: `<input class=\"checkbox-img\" type=\"checkbox\">` is not for everyone: ",
            "src/page.md:8: `<img src=\"dot.svg\">` is not for everyone: Images must have alternative text: ",
            "src/page.md:10: `<img src=\"spot.svg\" alt=\"\">` has no words for who does not see it; ",
        ],
    },
    Broken {
        name: "an_image_from_outside_is_told",
        view: View::DESKTOP,
        by: |book| page(book, "![A dot](https://example.com/dot.png)\n"),
        told: &["src/page.md:8: asks for https://example.com/dot.png, which is not of this site: "],
    },
    Broken {
        name: "a_style_sheet_and_a_font_from_outside_are_told",
        view: View::DESKTOP,
        by: |book| {
            let css = "@import url(https://example.com/more.css);\n\
                @font-face { font-family: F; src: url(https://example.com/f.woff2); }\n\
                main p { font-family: F; }\n";
            book.write("theme/more.css", css);
        },
        told: &[
            "theme/more.css:1: asks for https://example.com/more.css, which is not of this site: ",
            "theme/more.css:2: asks for https://example.com/f.woff2, which is not of this site: ",
        ],
    },
    Broken {
        name: "a_script_that_asks_the_network_is_told",
        view: View::DESKTOP,
        by: |book| {
            let js = "\nfetch('https://203.0.113.1/data').catch(() => {});\n";
            book.write("theme/more.js", js);
        },
        told: &["theme/more.js:2: asks for https://203.0.113.1/data, which is not of this site: "],
    },
    Broken {
        name: "a_page_wider_than_a_phone_is_told",
        view: View::PHONE,
        by: |book| page(book, "<div style=\"width: 900px\">wide</div>\n"),
        told: &["src/page.md:8: the page scrolls sideways: it takes "],
    },
    Broken {
        name: "a_line_wider_than_a_phone_is_told",
        view: View::PHONE,
        by: |book| {
            page(
                book,
                &format!(
                    "<p style=\"white-space: nowrap\">{}</p>\n",
                    "wide ".repeat(40)
                ),
            )
        },
        told: &["src/page.md:8: the page scrolls sideways: it takes "],
    },
    Broken {
        name: "faint_text_is_told",
        view: View::DESKTOP,
        by: |book| book.write("theme/more.css", "main:has(figure) p { color: #aaa; }\n"),
        told: &[
            "src/page.md:3: `<p>` is not for everyone: Elements must meet minimum color contrast",
        ],
    },
    Broken {
        name: "a_missing_image_is_told",
        view: View::DESKTOP,
        by: |book| page(book, "![A dot](pictures/dot.svg)\n"),
        told: &[
            "src/page.md:8: asks for `pictures/dot.svg`, which the site does not give (status 404); ",
        ],
    },
    Broken {
        name: "what_moves_while_the_page_loads_is_told",
        view: View::DESKTOP,
        by: |book| {
            page(book, "<p id=\"late\"></p>\n\nMoved down.\n");
            let js = "const late = document.getElementById('late');\n\
                if (late) setTimeout(() => late.style.setProperty('height', '300px'), 40);\n";
            book.write("theme/more.js", js);
        },
        told: &["src/page.md:"],
    },
    Broken {
        name: "a_heavy_page_is_told",
        view: View::DESKTOP,
        by: |book| {
            // Numbers that do not compress.
            let mut number = 1_u64;
            let mut text = String::new();
            for _ in 0..2_800 {
                number = number
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                text += &format!("{number} ");
            }
            page(book, &text);
        },
        told: &["src/page.md: the page takes "],
    },
    Broken {
        name: "a_heavy_style_is_told",
        view: View::DESKTOP,
        by: |book| {
            let mut number = 1_u64;
            let mut css = String::new();
            for _ in 0..8_000 {
                number = number
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                css += &format!(".a{number} {{ color: red }}\n");
            }
            book.write("theme/more.css", css);
        },
        told: &[
            "404.html: what is needed to read the page takes ",
            "src/page.md: what is needed to read the page takes ",
        ],
    },
    Broken {
        name: "too_many_requests_are_told",
        view: View::DESKTOP,
        by: |book| {
            let mut text = String::new();
            for index in 0..8 {
                book.write(&format!("src/dot{index}.svg"), DOT);
                text += &format!(
                    "<img src=\"dot{index}.svg\" alt=\"A dot\" width=\"30\" height=\"30\">\n"
                );
            }
            page(book, &text);
        },
        told: &["src/page.md: the page asks for 16 files, and may ask for 10: "],
    },
];

const DOT: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"30\" height=\"30\"/>\n";

/// A sound book in the book's own theme, with room for more.
fn themed() -> Scratch {
    let book = Scratch::sound();
    for folder in ["theme", "theme/fonts"] {
        let entries = fs::read_dir(Path::new(ROOT).join(folder)).expect("the book has a theme");
        for entry in entries.flatten().filter(|it| it.path().is_file()) {
            let text = fs::read(entry.path()).expect("a file of the theme");
            book.write(&format!("{folder}/{}", entry.file_name().display()), text);
        }
    }
    book.write("theme/more.css", "");
    book.write("theme/more.js", "");
    let more = "[output.html]\n\
        additional-css = [\"theme/book.css\", \"theme/more.css\"]\n\
        additional-js = [\"theme/site.js\", \"theme/more.js\"]\n";
    book.write(
        "book.toml",
        book.read("book.toml").replace("[output.html]\n", more),
    );
    book
}

/// Adds to the page of a fresh book; the first line is its line 8.
fn page(book: &Scratch, more: &str) {
    book.write("src/page.md", format!("{PAGE}\n{more}"));
}

fn equal(told: &[String], expected: &[&str]) -> Result<(), Failed> {
    match told == expected {
        true => Ok(()),
        false => Err(format!("expected {expected:#?}, told {told:#?}").into()),
    }
}

fn starts(told: &[String], expected: &[&str]) -> Result<(), Failed> {
    let are_as_expected = told.len() == expected.len()
        && told
            .iter()
            .zip(expected)
            .all(|(told, start)| told.starts_with(start));
    match are_as_expected {
        true => Ok(()),
        false => Err(format!("expected {expected:#?}, told {told:#?}").into()),
    }
}
