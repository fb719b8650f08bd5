//! Promise: a program that must not compile does not, and the compiler says what the page shows.
//!
//! With the compiler that wrote the messages, to the letter; with another one, the same error codes.
//! `cargo book bless` rewrites the messages.

use libtest_mimic::{Arguments, Trial};
use model::Project;
use runs::compile_fail::{compare, compiler, messages, run_as_child};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    run_as_child();
    let arguments = Arguments::from_args();
    let project = Arc::new(Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here"));
    let programs = project
        .compile_fail_programs()
        .expect("programs can be listed");
    let same = project.read(model::provenance::COMPILER).ok()
        == Some(compiler(&project).expect("there is a compiler"));
    let mut said = if arguments.list {
        Default::default()
    } else {
        messages(&project, &programs).expect("the compiler can be asked")
    };
    let trials = programs
        .into_iter()
        .map(|name| {
            let project = Arc::clone(&project);
            let message = said.remove(&name);
            Trial::test(name.to_string(), move || {
                let message = message.ok_or("the compiler was not asked")??;
                let expected = project.read(&name.stderr()).map_err(|problem| {
                    format!("{problem}; `cargo book bless {name}` writes it")
                })?;
                let shown = model::uses::of_listing(&project, &name).join(", ");
                Ok(compare(&expected, &message, same).map_err(|why| {
                    format!("{} (shown at {shown}): {why}\nIf the new message is right, `cargo book bless {name}` writes it.", name.stderr())
                })?)
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
