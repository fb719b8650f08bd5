//! Programs that need parts of Tokio which may still change: `listings/<part>/unstable/*.rs`.
//!
//! They are a package of their own, which holds nothing unless its feature `programs` is on, and are built with
//! `--cfg tokio_unstable` into a folder of their own below the target folder: the book itself must not be built with
//! that, or a listing that uses such a part by accident would pass.

use crate::build::{Built, Program};
use crate::compare::{check_output, diff};
use crate::run::{Misbehaved, Ran};
use crate::{cargo, target};
use anyhow::{Context, Result};
use model::{ProgramId, Project};
use std::collections::BTreeSet;
use std::process::{Command, Stdio};

/// A cargo that builds these programs and nothing else: the same words as `cargo unstable` in
/// .cargo/config.toml, so that both build the same.
///
/// Fails if the programs' part has no package for them.
pub fn cargo_for(project: &Project, part: &str, command: &str) -> Result<Command> {
    let manifest = format!("listings/{part}{}/Cargo.toml", model::manifest::UNSTABLE);
    let text = project.read(&manifest)?;
    let package = text
        .lines()
        .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .with_context(|| format!("{manifest} names no package"))?;
    let mut cargo = Command::new(cargo());
    cargo
        .current_dir(project.root())
        .args([command, "--config", FLAGS, "--package", package])
        .args(["--features", "programs"])
        .env("CARGO_TARGET_DIR", target(project).join("unstable"))
        // They would stand in for what is given here.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdin(Stdio::null());
    Ok(cargo)
}

/// The compiler's flag, as cargo's configuration has it.
pub const FLAGS: &str = "build.rustflags=['--cfg', 'tokio_unstable']";

/// Builds these programs.
///
/// # Errors
///
/// Cargo cannot be started, or speaks no JSON. A program that does not compile has no executable, and
/// [`Built::errors`] says why.
pub fn build(project: &Project, names: &[ProgramId]) -> Result<Built> {
    let mut all = Built::default();
    let parts: BTreeSet<&str> = names.iter().map(|name| name.part.as_str()).collect();
    for part in parts {
        let names: Vec<_> = names.iter().filter(|name| name.part == part).collect();
        let mut command = cargo_for(project, part, "build")?;
        command.args(["--message-format=json", "--keep-going"]);
        for name in &names {
            command.args(["--bin", &name.name]);
        }
        let compiled = crate::build::run(&mut command)?;
        for name in names {
            let executable = compiled.executables.values().find(|path| {
                path.file_stem()
                    .is_some_and(|stem| stem.to_string_lossy() == name.name)
            });
            if let Some(executable) = executable {
                let program = Program {
                    executable: executable.clone(),
                    argument: None,
                };
                all.programs.insert(name.clone(), program);
            }
        }
        all.errors.push_str(&compiled.errors);
    }
    Ok(all)
}

/// Says what is wrong with a run, or nothing where it printed what the file beside the program says, and nothing on
/// standard error.
///
/// # Errors
///
/// A message that names the program, the line of its `.out` file where the two part, and the pages that show it.
pub fn check(
    project: &Project,
    name: &ProgramId,
    ran: &Result<Ran, Misbehaved>,
) -> Result<(), String> {
    let (source, file) = (name.unstable(), name.unstable_output());
    let ran = check_output(project, name, &source, &file, ran)?;
    if ran.stderr.trim().is_empty() {
        return Ok(());
    }
    Err(format!(
        "{source}: it complains on standard error{}\n\n{}",
        crate::compare::shown(project, name),
        diff("", &ran.stderr)
    ))
}
