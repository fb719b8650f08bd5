//! Promise: what a page says of Tokio's unstable parts is what they do.
//!
//! A few programs need `--cfg tokio_unstable`: each is built with that, apart from all else, run, and its output compared
//! with its `.out` file. This takes a build of Tokio of its own, and crates that nothing else here needs; so it is no part of a
//! plain `cargo test`, and a step of its own in .ci/run: `cargo test --test unstable`.

use libtest_mimic::{Arguments, Failed, Trial};
use model::Project;
use runs::build::Built;
use runs::run::{Limits, run};
use runs::unstable::{FLAGS, build, cargo_for, check};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let project = Arc::new(Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here"));
    let names = project.unstable_programs().expect("programs can be listed");
    assert!(!names.is_empty(), "there are no unstable programs");
    let built = if arguments.list {
        Built::default()
    } else {
        build(&project, &names).expect("cargo builds")
    };
    let built = Arc::new(built);
    let mut trials: Vec<_> = names
        .iter()
        .cloned()
        .map(|name| {
            let (project, built) = (Arc::clone(&project), Arc::clone(&built));
            Trial::test(name.to_string(), move || {
                let Some(program) = built.programs.get(&name) else {
                    return Err(Failed::from(format!(
                        "{} does not compile:\n{}",
                        name.unstable(),
                        built.errors
                    )));
                };
                let ran = run(program, project.root(), Limits::default())
                    .map_err(|error| format!("{error:#}"))?;
                Ok(check(&project, &name, &ran)?)
            })
        })
        .collect();
    let own_tests = Arc::clone(&project);
    trials.push(Trial::test("their_own_tests", move || {
        passes(&own_tests, &["test", "clippy"])
    }));
    trials.push(Trial::test(
        "the_command_in_the_captions_is_this_one",
        move || {
            let config = project
                .read(".cargo/config.toml")
                .map_err(|problem| problem.to_string())?;
            let report = format!("unstable = [\"run\", \"--config\", \"{FLAGS}\",");
            match config.contains(&report) {
                true => Ok(()),
                false => {
                    Err(format!("{}: no alias begins with {report}", ".cargo/config.toml").into())
                }
            }
        },
    ));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Whether the programs' own tests pass, and no lint complains.
fn passes(project: &Project, commands: &[&str]) -> Result<(), Failed> {
    let names = project
        .unstable_programs()
        .map_err(|error| format!("{error:#}"))?;
    let mut parts: Vec<_> = names.into_iter().map(|name| name.part).collect();
    parts.dedup();
    for part in &parts {
        for command in commands {
            let mut cargo =
                cargo_for(project, part, command).map_err(|error| format!("{error:#}"))?;
            match *command {
                "clippy" => cargo.args(["--quiet", "--all-targets", "--", "-D", "warnings"]),
                _ => cargo.arg("--quiet"),
            };
            let output = cargo.output().map_err(|error| error.to_string())?;
            if !output.status.success() {
                let (out, err) = (
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr),
                );
                return Err(format!(
                    "cargo {command} fails in listings/{part}/unstable:\n{out}{err}"
                )
                .into());
            }
        }
    }
    Ok(())
}
