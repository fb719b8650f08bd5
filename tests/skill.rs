//! Promise: the skill for coding agents says what the pages and listings say, each of its programs compiles with
//! the manifest above it, and prints what is written below it.
//!
//! `cargo book skill` writes it. The checks of its format are in `tools/export`, whose own tests break each.

use export::book::Book;
use export::skill::{self, FOLDER, check};
use model::source::Source;
use model::{Problem, Project, manifest, uses};
use runs::compare::diff;
use scratch::assert_no_problems;
use std::collections::BTreeMap;
use std::path::Path;

fn project() -> Project {
    Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here")
}

fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The skill's files as they are in the repository.
fn on_disk(project: &Project) -> BTreeMap<String, String> {
    let paths = uses::pages_below(project, FOLDER);
    let files = paths.into_iter().map(|path| {
        let text = project
            .read(&path)
            .expect("a file of the skill can be read");
        let name = path.trim_start_matches(FOLDER).trim_start_matches('/');
        (name.to_owned(), text)
    });
    files.collect()
}

#[test]
fn the_skill_is_what_the_book_makes() {
    let project = project();
    let book = Book::build(&project, &scratch().join("skill-site"))
        .unwrap_or_else(|problems| panic!("the book does not build:\n{problems:#}"));
    let made = skill::files(&project, &book).expect("the skill can be made");
    assert_no_problems(Ok::<_, Problem>(check::stale(&made, &on_disk(&project))));
}

#[test]
fn the_skill_is_in_the_open_format_and_its_links_lead_somewhere() {
    let files = on_disk(&project());
    assert!(
        files.contains_key("SKILL.md"),
        "{FOLDER}/SKILL.md is missing"
    );
    assert_no_problems(Ok::<_, Problem>(check::problems(&files)));
}

/// So tests/outputs.rs compiles it, with the manifest that stands above it, and runs it. Of a program that needs
/// `--cfg tokio_unstable`, a part is shown, and tests/unstable.rs runs the program.
#[test]
fn each_program_is_a_listing_with_the_manifest_of_its_part() {
    let project = project();
    let mut listings = BTreeMap::new();
    for name in project.listings().expect("listings can be listed") {
        let text = project.read(&name.source()).expect("a listing can be read");
        let source = Source::parse(&text).expect("its anchors are sound");
        for program in [source.program(), source.program_without_tests()] {
            // The skill's first page shows the caption above the program.
            let without_caption = program.split_once('\n').map_or("", |(_, rest)| rest);
            listings.insert(without_caption.trim().to_owned(), name.clone());
            listings.insert(program.trim().to_owned(), name.clone());
        }
    }
    let unstable = project.unstable_programs().expect("programs can be listed");
    let unstable = unstable.iter().map(|name| {
        let read = |file: String| project.read(&file).expect("it can be read");
        (read(name.unstable()), read(name.unstable_output()))
    });
    let unstable: Vec<_> = unstable.collect();
    let shown = |part: &str| manifest::shown(&project, part).expect("the manifest can be shown");
    let all = shown(manifest::ALL);
    let mut wrong = String::new();
    for (file, text) in on_disk(&project) {
        let blocks = check::blocks(&text);
        for program in blocks.programs {
            let place = format!("{FOLDER}/{file}:{}", program.line);
            let is_part = |(source, output): &(String, String)| {
                source.contains(program.code.trim()) && *output == program.prints
            };
            if unstable.iter().any(is_part) {
                continue;
            }
            let Some(name) = listings.get(program.code.trim()) else {
                wrong.push_str(&format!(
                    "{place}: this program is not the text of any listing\n"
                ));
                continue;
            };
            let manifest = blocks.manifest.trim();
            if manifest != shown(&name.part).trim() && manifest != all.trim() {
                wrong.push_str(&format!(
                    "{place}: the manifest of this file is not the one with which {name} is compiled\n"
                ));
            }
            let outputs = model::output::shown(&project, name).expect("outputs can be read");
            let prints = project
                .read(&outputs[0].file)
                .expect("a listing has an output");
            if program.prints != prints {
                let difference = diff(&prints, &program.prints);
                wrong.push_str(&format!(
                    "{place}: this is not what {} prints:\n{difference}",
                    name.source()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
