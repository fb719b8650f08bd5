//! Promise: a program that must not compile does not, and the compiler says what the page shows.
//!
//! With the compiler that wrote the messages, to the letter; with another one, the same error codes.
//! `cargo book bless` rewrites the messages.

use model::provenance::COMPILER;
use runs::compile_fail::{compare, compiler, messages};
use std::process::ExitCode;
use suite::{Suite, book, text, texts};

mod suite;

fn main() -> ExitCode {
    let project = book();
    let programs = project
        .compile_fail_programs()
        .expect("programs can be listed");
    let suite = Suite {
        name: "compile_fail",
        depends_on: |project, it| {
            texts(
                project,
                [it.compile_fail(), it.stderr(), COMPILER.to_owned()],
            )
        },
        build: |project, names| {
            let same = text(project, COMPILER)? == compiler(project)?;
            Ok((messages(project, names)?, same))
        },
        check: |project, (messages, same), name| {
            let message = messages
                .get(name)
                .ok_or("the compiler was not asked")?
                .clone()?;
            let expected = project
                .read(&name.stderr())
                .map_err(|problem| format!("{problem}; `cargo book bless {name}` writes it"))?;
            let shown = model::uses::of_listing(project, name).join(", ");
            compare(&expected, &message, *same).map_err(|why| {
                format!(
                    "{} (shown at {shown}): {why}\nIf the new message is right, `cargo book bless {name}` writes it.",
                    name.stderr()
                )
            })
        },
    };
    suite.run(project, programs)
}
