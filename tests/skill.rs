//! Promise: the skill for coding agents says what the pages and listings say, each of its programs compiles with
//! the manifest above it, and prints what stands below it.
//!
//! `cargo book skill` writes it. The checks of its format are in `tools/export`, whose own tests break each.

use export::book::Book;
use export::skill::{self, FOLDER, check};
use model::{Problem, Problems, Project, manifest, uses};
use runs::compare::diff;
use runs::package;
use runs::run::{Limits, run};
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

fn demand_none(problems: Vec<Problem>) {
    if let Err(problems) = Problems::none_in(problems) {
        panic!("the skill has problems:\n{problems}");
    }
}

#[test]
fn the_skill_is_what_the_book_makes() {
    let project = project();
    let book = Book::build(&project, &scratch().join("skill-site"))
        .unwrap_or_else(|problems| panic!("the book does not build:\n{problems:#}"));
    let made = skill::files(&project, &book).expect("the skill can be made");
    demand_none(check::stale(&made, &on_disk(&project)));
}

#[test]
fn the_skill_is_in_the_open_format_and_its_links_lead_somewhere() {
    let files = on_disk(&project());
    assert!(
        files.contains_key("SKILL.md"),
        "{FOLDER}/SKILL.md is missing"
    );
    demand_none(check::problems(&files));
}

#[test]
fn each_program_compiles_with_the_manifest_above_it() {
    let project = project();
    // With what tests/manifests.rs compiled of the same manifests.
    let target = scratch().join("manifests/target");
    for (file, text) in on_disk(&project) {
        let blocks = check::blocks(&text);
        if blocks.programs.is_empty() {
            continue;
        }
        let programs = blocks.programs.iter().map(|program| {
            let name = format!("line_{}", program.line);
            (name, program.code.clone())
        });
        let stem = Path::new(&file).file_stem().unwrap_or_default();
        let folder = scratch().join("skill").join(stem.to_ascii_lowercase());
        package::write(&project, &folder, &blocks.manifest, &programs.collect())
            .expect("the package can be written");
        let compiled = package::compile(&folder, "check", &target).expect("cargo starts");
        if let Err(errors) = compiled {
            panic!(
                "{FOLDER}/{file}: a program does not compile with the manifest of that file (the names are their \
                 lines there):\n{errors}"
            );
        }
    }
}

#[test]
fn each_program_prints_what_stands_below_it() {
    let project = project();
    let mut programs = BTreeMap::new();
    let mut expected = Vec::new();
    for (file, text) in on_disk(&project) {
        for program in check::blocks(&text).programs {
            let stem = Path::new(&file).file_stem().unwrap_or_default();
            let name = format!(
                "skill_{}_{}",
                stem.to_string_lossy().to_lowercase(),
                program.line
            );
            let place = format!("{FOLDER}/{file}:{}", program.line);
            programs.insert(name.clone(), program.code);
            expected.push((name, place, program.prints));
        }
    }
    // With what was built of the same dependencies for the listings.
    let target = runs::target(&project);
    let folder = scratch().join("skill/all_programs");
    let all = manifest::shown(&project, manifest::ALL).expect("the manifest can be shown");
    package::write(&project, &folder, &all, &programs).expect("the package can be written");
    if let Err(errors) = package::compile(&folder, "build", &target).expect("cargo starts") {
        panic!("{FOLDER}: programs do not compile:\n{errors}");
    }
    let mut wrong = String::new();
    for (name, place, expected) in expected {
        let executable = target
            .join("debug")
            .join(&name)
            .with_extension(std::env::consts::EXE_EXTENSION);
        let ran = run(&executable, project.root(), Limits::default()).expect("it starts");
        match ran {
            Ok(ran) if ran.transcript == expected => {}
            Ok(ran) => wrong.push_str(&format!(
                "{place}: prints something else:\n{}",
                diff(&expected, &ran.transcript)
            )),
            Err(why) => wrong.push_str(&format!("{place}: {why}\n")),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
