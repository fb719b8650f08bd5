//! Promise: the skill for coding agents is what its templates and the listings make, so that each of its programs is compiled and run.
//!
//! `cargo book skill` writes it. The checks of its format are in `tools/export`, whose own tests break each.

use export::skill::{self, FOLDER, TEMPLATES, check};
use model::{Problem, Project, uses};
use scratch::assert_no_problems;
use std::collections::BTreeMap;

fn project() -> Project {
    Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here")
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
    let made = skill::files(&project).expect("the skill can be made");
    assert_no_problems(Ok::<_, Problem>(check::stale(&made, &on_disk(&project))));
}

#[test]
fn the_skill_is_in_the_open_format_and_small_and_its_links_lead_somewhere() {
    let files = on_disk(&project());
    assert!(
        files.contains_key("SKILL.md"),
        "{FOLDER}/SKILL.md is missing"
    );
    assert_no_problems(Ok::<_, Problem>(check::problems(&files)));
}

/// So tests/outputs.rs and tests/compile_fail.rs compile it.
#[test]
fn all_code_comes_from_listings() {
    let project = project();
    let templates = uses::pages_below(&project, TEMPLATES);
    assert!(templates.len() > 10, "only {} templates", templates.len());
    let problems = templates.iter().map(|path| {
        let text = project.read(path)?;
        Ok(check::own_code(path, &text))
    });
    let problems: Result<Vec<_>, Problem> = problems.collect();
    assert_no_problems(problems.map(|it| it.concat()));
}
