//! Promises about programs: what they do is what the pages show.

use crate::breakage::{Breakage, Edit};
use crate::check::Check;
use crate::sample::{Listing, Sample, Text, numbered, pick, with_line};
use fastrand::Rng;
use export::skill;
use model::listing::ListingName;
use model::uses;
use regex::Regex;

/// A place in a program: the listing, the line's number and its text.
type Place<'a> = (&'a Listing, usize, &'a str);

/// The lines of all programs that a reader sees, without their tests.
fn shown_lines(sample: &Sample) -> Vec<Place<'_>> {
    let mut lines = Vec::new();
    for listing in &sample.listings {
        let prefix = format!("{}:", listing.name);
        let anchors: Vec<&str> = sample
            .used("listing")
            .filter_map(|used| used.argument.strip_prefix(&prefix))
            .collect();
        let mut inside = anchors.is_empty();
        for (number, line) in numbered(&listing.text) {
            if line.contains("#[cfg(test)]") {
                break;
            }
            let mark = line.trim().trim_start_matches("// ");
            if let Some(name) = mark.strip_prefix("ANCHOR: ") {
                inside |= anchors.contains(&name);
            } else if let Some(name) = mark.strip_prefix("ANCHOR_END: ") {
                inside &= !anchors.contains(&name);
            } else if inside && !line.trim_start().starts_with("//") {
                lines.push((listing, number, line));
            }
        }
    }
    lines
}

/// The first line inside a program's `main`, and so the place for one more statement.
fn main_begins(text: &str) -> Option<usize> {
    let mut lines = numbered(text).skip_while(|(_, line)| !line.contains("fn main("));
    lines
        .find(|(_, line)| line.ends_with('{'))
        .map(|(number, _)| number + 1)
}

/// A program with one more statement at the beginning of its `main`, and the line where that stands.
pub(super) fn with_statement(listing: &Listing, statement: &str) -> Option<(String, usize)> {
    let at = main_begins(&listing.text)?;
    let before = listing.text.lines().nth(at - 2)?;
    let text = with_line(
        &listing.text,
        at - 1,
        Some(&format!("{before}\n    {statement}")),
    );
    Some((text, at))
}

/// Whether the function on a line is a test.
fn is_test(text: &str, number: usize) -> bool {
    let above = number.checked_sub(2).and_then(|at| text.lines().nth(at));
    above.is_some_and(|line| line.trim_start().starts_with("#[tokio::test"))
}

fn outputs(name: &ListingName) -> Check {
    Check::only("outputs", name.to_string())
}

/// Promise 1.
pub fn renamed_apis(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let breakage = |what: String, listing: &Listing, number: usize, line: &str| Breakage {
        promise: 1,
        what: format!("{what} in {}:{number}", listing.name.source()),
        edits: vec![Edit::write(
            listing.name.source(),
            with_line(&listing.text, number, Some(line)),
        )],
        check: outputs(&listing.name),
        place: format!("{}:{number}", listing.name.source()),
        says: format!("{} does not compile", listing.name.source()),
    };
    let lines = shown_lines(sample);
    let mut breakages = Vec::new();
    let method = Regex::new(r"\.([a-z][a-z_]{3,})\(").expect("a constant expression");
    let calls = lines.iter().filter(|(_, _, line)| method.is_match(line));
    if let Some((listing, number, line)) = pick(rng, calls) {
        let renamed = method.replace(line, ".${1}_renamed(");
        breakages.push(breakage(
            "a method is renamed".into(),
            listing,
            *number,
            &renamed,
        ));
    }
    let function = Regex::new(r"\b([A-Z]\w+)::([a-z_]+)\(").expect("a constant expression");
    let calls = lines.iter().filter(|(_, _, line)| function.is_match(line));
    if let Some((listing, number, line)) = pick(rng, calls) {
        let renamed = function.replace(line, "${1}::${2}_renamed(");
        breakages.push(breakage(
            "a function is renamed".into(),
            listing,
            *number,
            &renamed,
        ));
    }
    let import =
        Regex::new(r"^(use (?:tokio|futures)\S*?::\{?)(\w+)\b").expect("a constant expression");
    let imports = sample.listings.iter().flat_map(|listing| {
        let lines = numbered(&listing.text).filter(|(_, line)| import.is_match(line));
        lines.map(move |(number, line)| (listing, number, line))
    });
    if let Some((listing, number, line)) = pick(rng, imports) {
        let renamed = import.replace(line, "${1}${2}Renamed");
        breakages.push(breakage(
            "an import is renamed".into(),
            listing,
            number,
            &renamed,
        ));
    }
    breakages.extend(missing_feature(sample, rng));
    breakages
}

/// A dependency's feature that a part needs, and that no other feature brings along, is switched off.
fn missing_feature(sample: &Sample, rng: &mut Rng) -> Option<Breakage> {
    let feature =
        Regex::new(r#""(macros|net|io-util|join-map)"(, )?"#).expect("a constant expression");
    let parts = sample.project.parts().ok()?;
    let files = parts
        .iter()
        .map(|part| format!("listings/{part}/Cargo.toml"));
    // These bring along some of what a part asks of Tokio itself.
    let brings = Regex::new(r"(?m)^(axum|reqwest|sqlx)\b").expect("a constant expression");
    let texts: Vec<(String, String)> = files
        .filter_map(|file| Some((file.clone(), sample.project.read(&file).ok()?)))
        .filter(|(_, text)| !brings.is_match(text))
        .collect();
    let places = texts.iter().flat_map(|(file, text)| {
        let found = feature.find_iter(text);
        found.map(move |found| (file, text, found))
    });
    let (file, text, found) = pick(rng, places)?;
    let without = format!("{}{}", &text[..found.start()], &text[found.end()..]);
    Some(Breakage {
        promise: 1,
        what: format!(
            "the feature {} is gone from {file}",
            found.as_str().trim_end_matches(", ")
        ),
        edits: vec![Edit::write(file, without)],
        check: Check::only("manifests", "the_shown_manifests_are_enough"),
        place: file.clone(),
        says: "do not compile with the manifest that its page shows".into(),
    })
}

/// Promise 2.
pub fn failures(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let statements = [
        (
            "panics",
            "panic!(\"an order is lost\");",
            "an order is lost",
        ),
        (
            "asserts what is not so",
            "assert_eq!(1 + 1, 3);",
            "assertion `left == right` failed",
        ),
        (
            "asserts what is not so where nobody waits for it",
            "let _ = std::thread::spawn(|| assert_eq!(1 + 1, 3)).join();",
            "it says something else on standard error",
        ),
        (
            "ends with an error",
            "std::process::exit(3);",
            "and ended with exit status: 3",
        ),
    ];
    let mut breakages = Vec::new();
    for (what, statement, says) in statements {
        let listing = pick(rng, &sample.listings);
        let Some((listing, (text, line))) =
            listing.and_then(|listing| Some((listing, with_statement(listing, statement)?)))
        else {
            continue;
        };
        let source = listing.name.source();
        breakages.push(Breakage {
            promise: 2,
            what: format!("{source}:{line} {what}"),
            edits: vec![Edit::write(&source, &text)],
            check: outputs(&listing.name),
            // An exit has no line of its own.
            place: if what.ends_with("error") {
                source.clone()
            } else {
                format!("{source}:{line}")
            },
            says: says.into(),
        });
    }
    let shown = sample.listings.iter().filter(|listing| {
        let name = listing.name.to_string();
        let mut uses = sample.used("listing");
        uses.any(|used| used.argument.split(':').next() == Some(&name))
    });
    if let Some((listing, (text, _))) = pick(rng, shown)
        .and_then(|listing| Some((listing, with_statement(listing, "panic!(\"x\");")?)))
    {
        breakages.push(Breakage {
            promise: 2,
            what: format!("{} panics where a reader copies it", listing.name.source()),
            edits: vec![Edit::write(listing.name.source(), text)],
            check: Check::Skeptic,
            place: listing.name.to_string(),
            says: "fails as it stands there".into(),
        });
    }
    breakages
}

/// Promise 3.
pub fn other_prints(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let breakage = |what: &str, listing: &Listing, line: usize, text: String| Breakage {
        promise: 3,
        what: format!("{}:{line} {what}", listing.name.source()),
        edits: vec![Edit::write(listing.name.source(), text)],
        check: outputs(&listing.name),
        place: listing.name.output(),
        says: format!(
            "{} prints something else than this file says",
            listing.name.source()
        ),
    };
    let mut breakages = Vec::new();
    let word = Regex::new(r#"^(\s*println!\(".*?)\b([a-z]{3,})\b([^"{}]*"\S*)$"#)
        .expect("a constant expression");
    let printed = sample.listings.iter().flat_map(|listing| {
        let output = listing.output.as_deref().unwrap_or_default();
        numbered(&listing.text).map(move |(number, line)| (listing, output, number, line))
    });
    let printed: Vec<_> = printed
        .filter(|(_, output, _, line)| {
            let said = word.captures(line);
            said.is_some_and(|said| output.contains(&said[2]))
        })
        .collect();
    if let Some((listing, _, number, line)) = pick(rng, &printed) {
        let other = word.replace(line, "${1}${2}s${3}");
        let text = with_line(&listing.text, *number, Some(&other));
        breakages.push(breakage("prints another word", listing, *number, text));
    }
    if let Some((listing, _, number, line)) = pick(rng, &printed) {
        let text = with_line(&listing.text, *number, Some(&format!("{line}\n{line}")));
        breakages.push(breakage("prints a line twice", listing, *number, text));
    }
    let with_output = sample
        .listings
        .iter()
        .filter(|listing| listing.output.is_some());
    if let Some((listing, (text, line))) = pick(rng, with_output).and_then(|listing| {
        Some((
            listing,
            with_statement(listing, "println!(\"one line more\");")?,
        ))
    }) {
        breakages.push(breakage("prints one line more", listing, line, text));
    }
    if let Some(name) = pick(rng, &sample.unstable)
        && let Ok(text) = sample.project.read(&name.unstable())
        && let Some(at) = main_begins(&text)
        && let Some(before) = text.lines().nth(at - 2)
    {
        let more = format!("{before}\n    println!(\"one line more\");");
        let edit = Edit::write(name.unstable(), with_line(&text, at - 1, Some(&more)));
        breakages.push(unstable(3, "prints one line more", name, edit));
    }
    breakages
}

/// A change to a program that needs `--cfg tokio_unstable`, or to its output, after which the two differ.
fn unstable(promise: usize, what: &str, name: &ListingName, edit: Edit) -> Breakage {
    Breakage {
        promise,
        what: format!("{} {what}", edit.file),
        edits: vec![edit],
        check: Check::only("unstable", name.to_string()),
        place: name.unstable_output(),
        says: format!(
            "{} prints something else than this file says",
            name.unstable()
        ),
    }
}

/// Promise 4.
pub fn edited_outputs(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let breakage = |what: &str, listing: &Listing, line: usize, text: String| Breakage {
        promise: 4,
        what: format!("{}:{line} {what}", listing.name.output()),
        edits: vec![Edit::write(listing.name.output(), text)],
        check: outputs(&listing.name),
        place: format!("{}:{line}", listing.name.output()),
        says: format!(
            "{} prints something else than this file says",
            listing.name.source()
        ),
    };
    let lines: Vec<_> = sample
        .listings
        .iter()
        .filter_map(|listing| Some((listing, listing.output.as_deref()?)))
        .flat_map(|(listing, output)| {
            numbered(output).map(move |(number, line)| (listing, output, number, line))
        })
        .collect();
    let mut breakages = Vec::new();
    let digits = lines
        .iter()
        .filter(|(_, _, _, line)| line.contains(|c: char| c.is_ascii_digit()));
    if let Some((listing, output, number, line)) = pick(rng, digits) {
        let other: String = line
            .chars()
            .map(|c| {
                c.to_digit(10)
                    .and_then(|d| char::from_digit((d + 1) % 10, 10))
                    .unwrap_or(c)
            })
            .collect();
        let text = with_line(output, *number, Some(&other));
        breakages.push(breakage("has other numbers", listing, *number, text));
    }
    let several = lines.iter().filter(|(_, output, number, line)| {
        // Without a line that stands twice, the difference would be at the other one.
        output.lines().count() > 1 && output.lines().nth(*number) != Some(line)
    });
    if let Some((listing, output, number, _)) = pick(rng, several) {
        let text = with_line(output, *number, None);
        breakages.push(breakage("is missing", listing, *number, text));
    }
    if let Some((listing, output, number, line)) = pick(rng, &lines) {
        let text = with_line(output, *number, Some(&format!("{line} and more")));
        breakages.push(breakage("has a word more", listing, *number, text));
    }
    if let Some(used) = pick(rng, sample.used("output"))
        && let Some(page) = sample.page(&used.page)
    {
        let text = with_line(&page.text, used.line, Some("```text\n300 ms  done\n```"));
        breakages.push(Breakage {
            promise: 4,
            what: format!(
                "{}:{} has an output that someone typed",
                page.file, used.line
            ),
            edits: vec![Edit::write(&page.file, text)],
            check: Check::test("pages"),
            place: format!("{}:{}", page.file, used.line),
            says: "a code block written by hand holds commands".into(),
        });
    }
    breakages.extend(invented_message(sample, rng));
    breakages.extend(edited_skill(sample, rng));
    if let Some(name) = pick(rng, &sample.unstable)
        && let Ok(text) = sample.project.read(&name.unstable_output())
        && let Some((number, line)) = pick(rng, numbered(&text))
    {
        let more = format!("{line} and more");
        let edit = Edit::write(
            name.unstable_output(),
            with_line(&text, number, Some(&more)),
        );
        breakages.push(unstable(4, "has a word more", name, edit));
    }
    breakages
}

/// A table of messages has one that nothing printed.
fn invented_message(sample: &Sample, rng: &mut Rng) -> Option<Breakage> {
    let rows = sample.pages.iter().flat_map(|page| {
        let is_table = page.text.contains("\n| Message |");
        let lines =
            numbered(&page.text).filter(move |(_, line)| is_table && line.starts_with("| `"));
        lines.map(move |(number, line)| (page, number, line))
    });
    let (page, number, line) = pick(rng, rows)?;
    let other = line.replacen("| `", "| `never printed` `", 1);
    Some(Breakage {
        promise: 4,
        what: format!("{}:{number} has a message that nothing printed", page.file),
        edits: vec![Edit::write(
            &page.file,
            with_line(&page.text, number, Some(&other)),
        )],
        check: Check::test("pages"),
        place: format!("{}:{number}", page.file),
        says: "no program of the book printed `never printed`".into(),
    })
}

/// The skill for coding agents is edited by hand.
fn edited_skill(sample: &Sample, rng: &mut Rng) -> Option<Breakage> {
    let texts: Vec<Text> = uses::pages_below(&sample.project, skill::FOLDER)
        .into_iter()
        .filter_map(|file| {
            let text = sample.project.read(&file).ok()?;
            Some(Text { file, text })
        })
        .collect();
    let lines = texts.iter().flat_map(|text| {
        let statements = numbered(&text.text).filter(|(_, line)| line.ends_with(");"));
        statements.map(move |(number, line)| (text, number, line))
    });
    let (text, number, line) = pick(rng, lines)?;
    let other = format!("{line} // Edited.");
    Some(Breakage {
        promise: 4,
        what: format!("{}:{number} is edited by hand", text.file),
        edits: vec![Edit::write(
            &text.file,
            with_line(&text.text, number, Some(&other)),
        )],
        check: Check::only("skill", "the_skill_is_what_the_book_makes"),
        place: format!("{}:{number}", text.file),
        says: "is not what the pages and listings say".into(),
    })
}

/// Promise 5.
pub fn mended_errors(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let breakage =
        |what: String, name: &ListingName, edit: Edit, place: String, says: &str| Breakage {
            promise: 5,
            what,
            edits: vec![edit],
            check: Check::only("compile_fail", name.to_string()),
            place,
            says: says.into(),
        };
    let mut breakages = Vec::new();
    let changed = "the compiler's message is not the one that the book shows";
    let read = |file: String| sample.project.read(&file).unwrap_or_default();
    if let Some(name) = pick(rng, &sample.compile_fail) {
        let file = name.compile_fail();
        if let Ok(text) = sample.mended(name, &read(file.clone())) {
            breakages.push(breakage(
                format!("{file} is mended"),
                name,
                Edit::write(&file, text),
                format!("{file}:1"),
                "this program compiles, but it is here because it must not",
            ));
        }
    }
    if let Some(name) = pick(rng, &sample.compile_fail) {
        let file = name.stderr();
        let text = read(file.clone());
        let words = numbered(&text)
            .filter(|(_, line)| line.starts_with("error") || line.contains("= note"));
        if let Some((number, line)) = pick(rng, words) {
            breakages.push(breakage(
                format!("the message in {file}:{number} is edited"),
                name,
                Edit::write(
                    &file,
                    with_line(&text, number, Some(&format!("{line} indeed"))),
                ),
                file.clone(),
                changed,
            ));
        }
    }
    if let Some(name) = pick(rng, &sample.compile_fail) {
        let file = name.compile_fail();
        let text = read(file.clone());
        let caption = text.lines().next().unwrap_or_default();
        breakages.push(breakage(
            format!("{file} has a line more, and the message other lines"),
            name,
            Edit::write(&file, with_line(&text, 1, Some(&format!("{caption}\n//!")))),
            name.stderr(),
            changed,
        ));
    }
    breakages
}

/// Promise 6: every mistake is mended, and both its output and its own tests notice; or a test is switched
/// off.
pub fn mended_mistakes(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let mut breakages = Vec::new();
    let tests = sample.listings.iter().flat_map(|listing| {
        let lines = numbered(&listing.text).filter(|(_, line)| line.contains("async fn "));
        let tests = lines.skip_while(|(number, _)| !is_test(&listing.text, *number));
        tests.map(move |(number, line)| (listing, number, line))
    });
    if let Some((listing, number, line)) = pick(rng, tests) {
        let source = listing.name.source();
        let off = format!("    #[ignore]\n{line}");
        breakages.push(Breakage {
            promise: 6,
            what: format!("{source}:{number} is a test that is switched off"),
            edits: vec![Edit::write(
                &source,
                with_line(&listing.text, number, Some(&off)),
            )],
            check: Check::test("pages"),
            place: format!("{source}:{number}"),
            says: "a test that is ignored verifies nothing".into(),
        });
    }
    for listing in sample.listings.iter().filter(|listing| listing.is_mistake) {
        let Ok(text) = sample.mended(&listing.name, &listing.text) else {
            continue;
        };
        let edit = Edit::write(listing.name.source(), text);
        let what = format!("{} is mended", listing.name.source());
        breakages.push(Breakage {
            promise: 6,
            what: what.clone(),
            edits: vec![edit.clone()],
            check: outputs(&listing.name),
            place: listing.name.output(),
            says: "prints something else than this file says".into(),
        });
        breakages.push(Breakage {
            promise: 6,
            what: format!("{what}, seen by its own tests"),
            edits: vec![edit],
            check: Check::Listing {
                name: listing.name.name.clone(),
            },
            place: listing.name.source(),
            says: "test result: FAILED".into(),
        });
    }
    for name in &sample.unstable {
        let file = name.unstable();
        let text = sample.project.read(&file).unwrap_or_default();
        if let Ok(text) = sample.mended(name, &text) {
            breakages.push(unstable(6, "is mended", name, Edit::write(&file, text)));
        }
    }
    breakages
}

/// Promise 14: changes that a listing's output does not show.
pub fn moved_tasks(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let recorded: Vec<&Listing> = sample
        .listings
        .iter()
        .filter(|listing| sample.project.has(&listing.name.timeline()))
        // One that counts tasks prints something else.
        .filter(|listing| !listing.text.contains("num_alive_tasks"))
        .collect();
    let breakage = |what: &str, listing: &Listing, edit: Edit| Breakage {
        promise: 14,
        what: format!("{} {what}", listing.name.source()),
        edits: vec![edit],
        check: Check::only("timelines", listing.name.to_string()),
        place: listing.name.source(),
        says: "its tasks move otherwise than".into(),
    };
    let mut breakages = Vec::new();
    for (what, statement) in [
        (
            "gives others a turn first",
            "tokio::task::yield_now().await;",
        ),
        (
            "spawns a task more",
            "let _ = tokio::spawn(async {}).await;",
        ),
        (
            "leaves a task behind",
            "drop(tokio::spawn(std::future::pending::<()>()));",
        ),
    ] {
        let with_async_main = recorded
            .iter()
            .filter(|listing| listing.text.contains("async fn main("));
        if let Some((listing, (text, _))) = pick(rng, with_async_main)
            .and_then(|listing| Some((listing, with_statement(listing, statement)?)))
        {
            breakages.push(breakage(
                what,
                listing,
                Edit::write(listing.name.source(), text),
            ));
        }
    }
    let time = Regex::new(r#""ends":(\d+)"#).expect("a constant expression");
    if let Some(listing) = pick(rng, recorded) {
        let file = listing.name.timeline();
        let text = sample.project.read(&file).unwrap_or_default();
        let edited = time.replacen(&text, 2, "\"ends\":9${1}");
        breakages.push(breakage(
            "ends elsewhere in its timeline",
            listing,
            Edit::write(file, edited),
        ));
    }
    if let Some(used) = pick(rng, sample.used("timeline"))
        && let Some(name) = used.listings().last()
        && let Ok(name) = ListingName::parse(name)
    {
        breakages.push(Breakage {
            promise: 14,
            what: format!("{} is gone, which a page draws", name.timeline()),
            edits: vec![Edit::remove(name.timeline())],
            check: Check::test("pages"),
            place: format!("{}:{}", used.page, used.line),
            says: "there is no run to draw".into(),
        });
    }
    breakages
}
