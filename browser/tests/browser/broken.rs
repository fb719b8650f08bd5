//! Small books that are broken in one way. The check of the pages must report each.

use crate::shared::{ROOT, with_browser};
use anyhow::Result;
use browser::View;
use model::Project;
use render::site;
use scratch::{PAGE, Scratch, rows};
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

/// Writes files of a sound book, and compares the starts of its problems with the expected ones.
fn differences(view: View, files: &[(&str, &str)], expected: &[&str]) -> Result<String> {
    let book = themed();
    for (file, text) in files {
        // The first line that is added to the page is its line 8.
        let page = if *file == "src/page.md" { PAGE } else { "" };
        book.write(file, format!("{page}\n{text}").trim_start_matches('\n'));
    }
    let found = problems(&book, &[view])?;
    let mut pairs = found.iter().zip(expected);
    let is_same = found.len() == expected.len() && pairs.all(|(it, start)| it.starts_with(start));
    Ok(match is_same {
        true => String::new(),
        false => format!("expected {expected:#?}, found {found:#?}\n"),
    })
}

const FAINT: &str = "src/page.md:3: accessibility violation (WCAG): `<p>`: Elements must meet minimum color contrast";

/// A file, its text (added to the page if the file is `src/page.md`), and the starts of the problems.
const BROKEN: &str = include_str!("broken.txt");

#[test]
fn each_problem_is_reported() -> Result<()> {
    let mut wrong = String::new();
    for [file, text, expected] in rows(BROKEN) {
        let expected: Vec<&str> = expected.split("\\\\ ").map(str::trim_end).collect();
        wrong += &differences(View::DESKTOP, &[(&file, &text)], &expected)?;
    }
    assert!(wrong.is_empty(), "{wrong}");
    Ok(())
}

#[test]
fn a_page_wider_than_a_phone_is_reported() -> Result<()> {
    let line = format!(
        "<p style=\"white-space: nowrap\">{}</p>\n",
        "wide ".repeat(40)
    );
    for text in ["<div style=\"width: 900px\">wide</div>\n", &line] {
        let expected = ["src/page.md:8: the page scrolls sideways: it is "];
        assert_eq!(
            differences(View::PHONE, &[("src/page.md", text)], &expected)?,
            ""
        );
    }
    Ok(())
}

#[test]
fn a_layout_shift_is_reported() -> Result<()> {
    let page = ("src/page.md", "<p id=\"late\"></p>\n\nMoved down.\n");
    // A shift before the first paint would be none.
    let script = "const late = document.getElementById('late');\n\
        const move = () => late.style.setProperty('height', '300px');\n\
        if (late) new PerformanceObserver(move).observe({ type: 'paint', buffered: true });\n";
    let files = [page, ("theme/more.js", script)];
    assert_eq!(differences(View::DESKTOP, &files, &["src/page.md:"])?, "");
    Ok(())
}

/// Numbers that don't compress, each in this text in place of `#`.
fn heavy(count: usize, text: &str) -> String {
    let mut number = 1_u64;
    let texts = (0..count).map(|_| {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        text.replace('#', &number.to_string())
    });
    texts.collect()
}

#[test]
fn too_much_weight_is_reported() -> Result<()> {
    let pictures: String = (0..8)
        .map(|it| format!("<img src=\"dot{it}.svg\" alt=\"A dot\" width=\"30\" height=\"30\">\n"))
        .collect();
    for (file, text, expected) in [
        (
            "src/page.md",
            heavy(2_800, "# "),
            vec!["src/page.md: the page is too heavy: "],
        ),
        (
            "theme/more.css",
            heavy(8_000, ".a# { color: red }\n"),
            vec!["404.html: the page needs ", "src/page.md: the page needs "],
        ),
        (
            "src/page.md",
            pictures,
            vec!["src/page.md: the page needs 16 files; at most 10 are allowed: "],
        ),
    ] {
        assert_eq!(differences(View::DESKTOP, &[(file, &text)], &expected)?, "");
    }
    Ok(())
}

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
    for dot in 0..8 {
        book.write(&format!("src/dot{dot}.svg"), DOT);
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
