//! Small books that are broken in one way. The check of the pages must report each.

use crate::shared::{ROOT, with_browser};
use anyhow::Result;
use browser::View;
use model::Project;
use render::site;
use scratch::{PAGE, Scratch};
use std::fs;
use std::path::Path;

fn problems(book: &Scratch, views: &[View]) -> Result<Vec<String>> {
    let project = Project::open(book.root())?;
    let folder = book.path("built");
    let pages = site::build(&project, &folder)?;
    let problems = with_browser(|it| it.check(&project, &folder, &pages, views))?;
    Ok(problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_sound_book_has_no_problems() -> Result<()> {
    assert_eq!(problems(&themed(), &View::ALL)?, [""; 0]);
    Ok(())
}

#[test]
fn dark_is_checked_too() -> Result<()> {
    let book = themed();
    book.write(
        "theme/more.css",
        "main:has(figure) p { color: light-dark(#333, #333); }\n",
    );
    let problems = problems(&book, &View::ALL)?;
    // One for each screen, because their fonts differ in size.
    assert_eq!(problems.len(), 2, "{problems:#?}");
    for problem in problems {
        assert!(
            problem.starts_with(FAINT) && problem.ends_with(" dark]"),
            "{problem}"
        );
    }
    Ok(())
}

#[test]
fn each_problem_is_reported() -> Result<()> {
    let mut wrong = String::new();
    for broken in BROKEN {
        let book = themed();
        (broken.by)(&book);
        let (found, expected) = (problems(&book, &[broken.view])?, broken.problems);
        let mut pairs = found.iter().zip(expected);
        if found.len() != expected.len() || !pairs.all(|(found, it)| found.starts_with(it)) {
            wrong += &format!("expected {expected:#?}, found {found:#?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    Ok(())
}

const FAINT: &str = "src/page.md:3: accessibility violation (WCAG): `<p>`: Elements must meet minimum color contrast";

/// A way to break a sound book, and how each message about it starts.
struct Broken {
    view: View,
    by: fn(&Scratch),
    problems: &'static [&'static str],
}

const BROKEN: &[Broken] = &[
    Broken {
        view: View::DESKTOP,
        by: |book| book.write("theme/more.js", "\nlet = ;\n"),
        problems: &["theme/more.js:2: console error: Uncaught SyntaxError: "],
    },
    Broken {
        view: View::DESKTOP,
        by: |book| book.write("theme/more.js", "\n\nthrow new Error('no luck');\n"),
        problems: &["theme/more.js:3: console error: Uncaught Error: no luck"],
    },
    Broken {
        view: View::DESKTOP,
        by: |book| book.write("theme/more.js", "Promise.reject(new Error('no luck'));\n"),
        problems: &["theme/more.js:1: console error: Uncaught Error: no luck"],
    },
    Broken {
        view: View::DESKTOP,
        by: |book| book.write("theme/more.js", "console.error('no luck');\n"),
        problems: &["theme/more.js:1: console error: \"no luck\""],
    },
    Broken {
        view: View::DESKTOP,
        by: |book| {
            book.write("src/dot.svg", DOT);
            book.write("src/spot.svg", DOT);
            page(book, "<img src=\"dot.svg\">\n\n![](spot.svg)\n");
        },
        problems: &[
            // The checkbox that enlarges the picture is labeled with its alt text.
            "src/page.md: accessibility violation (WCAG): `<input class=\"checkbox-img\" type=\"checkbox\">`: ",
            "src/page.md:8: accessibility violation (WCAG): `<img src=\"dot.svg\">`: Images must have alternative text: ",
            "src/page.md:10: missing alt text: `<img src=\"spot.svg\" alt=\"\">`; ",
        ],
    },
    Broken {
        view: View::DESKTOP,
        by: |book| page(book, "![A dot](https://example.com/dot.png)\n"),
        problems: &["src/page.md:8: external request: https://example.com/dot.png; "],
    },
    Broken {
        view: View::DESKTOP,
        by: |book| {
            let css = "@import url(https://example.com/more.css);\n\
                @font-face { font-family: F; src: url(https://example.com/f.woff2); }\n\
                main p { font-family: F; }\n";
            book.write("theme/more.css", css);
        },
        problems: &[
            "theme/more.css:1: external request: https://example.com/more.css; ",
            "theme/more.css:2: external request: https://example.com/f.woff2; ",
        ],
    },
    Broken {
        view: View::DESKTOP,
        by: |book| {
            let js = "\nfetch('https://203.0.113.1/data').catch(() => {});\n";
            book.write("theme/more.js", js);
        },
        problems: &["theme/more.js:2: external request: https://203.0.113.1/data; "],
    },
    Broken {
        view: View::PHONE,
        by: |book| page(book, "<div style=\"width: 900px\">wide</div>\n"),
        problems: &["src/page.md:8: the page scrolls sideways: it is "],
    },
    Broken {
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
        problems: &["src/page.md:8: the page scrolls sideways: it is "],
    },
    Broken {
        view: View::DESKTOP,
        by: |book| book.write("theme/more.css", "main:has(figure) p { color: #aaa; }\n"),
        problems: &[
            "src/page.md:3: accessibility violation (WCAG): `<p>`: Elements must meet minimum color contrast",
        ],
    },
    Broken {
        view: View::DESKTOP,
        by: |book| page(book, "![A dot](pictures/dot.svg)\n"),
        problems: &["src/page.md:8: request failed (404): `pictures/dot.svg`; "],
    },
    Broken {
        view: View::DESKTOP,
        by: |book| {
            page(book, "<p id=\"late\"></p>\n\nMoved down.\n");
            let js = "const late = document.getElementById('late');\n\
                if (late) setTimeout(() => late.style.setProperty('height', '300px'), 40);\n";
            book.write("theme/more.js", js);
        },
        problems: &["src/page.md:"],
    },
    Broken {
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
        problems: &["src/page.md: the page is too heavy: "],
    },
    Broken {
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
        problems: &["404.html: the page needs ", "src/page.md: the page needs "],
    },
    Broken {
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
        problems: &["src/page.md: the page needs 16 files; at most 10 are allowed: "],
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
