//! Programs that must not compile, and what the compiler says about them.
//!
//! They're compiled beside the listings, with the dependencies that the listings have been built with (see
//! [`crate::workspace`]), or with those of a [manifest of their own](own_manifest). What differs from machine to machine is
//! taken out of the messages: where crates are, in which version, and on which line.

use crate::build::{Compiled, Mode, cargo_in, plain, run, select};
use crate::files::{file_elsewhere, write_if_changed};
use crate::own_manifest;
use crate::workspace::REFUSED;
use anyhow::{Context, Result, bail};
use model::source::CLIPPYS;
use model::{ProgramId, Project};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::process::Command;

/// Clippy as a compiler.
const CLIPPY_DRIVER: &str = "clippy-driver";

/// What starts a line in one of Clippy's programs that belongs in its clippy.toml.
const SETTING: &str = "// clippy.toml: ";

/// What the compiler says about each of these programs; the inner error is that it accepts one.
///
/// Fails if the programs cannot be handed to the compiler.
pub fn messages(
    project: &Project,
    names: &[ProgramId],
) -> Result<BTreeMap<ProgramId, Result<String, String>>> {
    let workspace = plain(project)?;
    let mut for_rustc = Vec::new();
    let mut for_clippy = Vec::new();
    let mut settings = BTreeSet::new();
    let mut messages = BTreeMap::new();
    for name in names {
        let text = project.read(&name.compile_fail())?;
        if own_manifest::has_own(&text) {
            let compiled = own_manifest::compile(project, name, &text);
            let message = compiled
                .map_err(|error| format!("{error:#}"))
                .and_then(|compiled| message(name, name.name.clone(), &compiled));
            messages.insert(name.clone(), message);
            continue;
        }
        match text.contains(CLIPPYS) {
            true => for_clippy.push(name),
            false => for_rustc.push(name),
        }
        // In their order: a list may take several lines.
        let own = text.lines().filter_map(|line| line.strip_prefix(SETTING));
        settings.insert(own.map(|line| format!("{line}\n")).collect::<String>());
    }
    for (group, is_clippys) in [(for_rustc, false), (for_clippy, true)] {
        if group.is_empty() {
            continue;
        }
        let mut cargo = cargo_in(&workspace, Mode::Run);
        for name in &group {
            select(&mut cargo, &package(name), &["--bin", &name.name]);
        }
        if is_clippys {
            Command::new(CLIPPY_DRIVER)
                .arg("--version")
                .output()
                .context("Clippy is missing, but some pages show its messages; `rustup component add clippy` installs it")?;
            let folder = workspace.root().join("clippy");
            let text: String = settings.iter().map(String::as_str).collect();
            write_if_changed(&folder.join("clippy.toml"), &text)?;
            // This is how `cargo clippy` has them compiled.
            cargo
                .env("RUSTC_WORKSPACE_WRAPPER", CLIPPY_DRIVER)
                .env("CLIPPY_CONF_DIR", folder);
        }
        let compiled = run(&mut cargo)?;
        for name in group {
            messages.insert(name.clone(), message(name, package(name), &compiled));
        }
    }
    Ok(messages)
}

/// The package with the programs of a part that must not compile.
fn package(name: &ProgramId) -> String {
    format!("{}{REFUSED}", name.part)
}

fn message(name: &ProgramId, package: String, compiled: &Compiled) -> Result<String, String> {
    let target = (package, name.name.clone());
    if compiled.executables.contains_key(&target) {
        return Err(format!(
            "{}:1: this program compiles, but it is here because it must not; \
             if the language has changed, fix the page and make this a listing",
            name.compile_fail()
        ));
    }
    let diagnostics = compiled.diagnostics.get(&target).into_iter().flatten();
    let mut text = String::new();
    // The compiler reports some errors twice.
    let mut reported = BTreeSet::new();
    for diagnostic in diagnostics {
        let is_summary = diagnostic["spans"].as_array().is_none_or(Vec::is_empty)
            && diagnostic["code"].is_null();
        let rendered = diagnostic["rendered"].as_str().unwrap_or_default();
        if !is_summary && reported.insert(rendered) {
            text.push_str(&portable(rendered));
        }
    }
    match text.trim_end() {
        "" => Err(format!(
            "{}: the compiler printed no message about it:\n{}",
            name.compile_fail(),
            compiled.errors
        )),
        text => Ok(format!("{text}\n")),
    }
}

/// A diagnostic without what differs from machine to machine: places in crates, and the width of their line numbers. If it is
/// about two versions of one crate, what makes them incompatible stays.
fn portable(rendered: &str) -> String {
    let rendered = rendered.replace("\r\n", "\n");
    let places = rendered.lines().filter_map(place);
    let packages: BTreeSet<_> = places.filter_map(|(_, place)| package_of(&place)).collect();
    let has_others = |name: &str| packages.iter().filter(|it| it.0 == name).count() > 1;
    let mut lines = Vec::new();
    // Whether the source lines here are those of a crate or of the standard library.
    let mut elsewhere = false;
    let (mut width, mut own_width) = (0, 0);
    for line in rendered.lines() {
        if line.contains("the full name for the type has been written to")
            || line.contains("consider using `--verbose` to print the full type name")
        {
            continue;
        }
        if let Some((before, place)) = place(line) {
            let mut file = file_elsewhere(&place);
            elsewhere = file.is_some();
            let one_of_two = package_of(&place).filter(|(name, _)| has_others(name));
            if let (Some(file), Some((_, version))) = (&mut file, one_of_two) {
                *file = file.replacen("-$VERSION/", &format!("-{version}.$VERSION/"), 1);
            }
            width = before.len();
            let arrow = &line[before.len()..before.len() + 4];
            lines.push(format!("{before}{arrow}{}", file.unwrap_or(place)));
            continue;
        }
        // A suggestion has no place of its own; it's about the program.
        elsewhere &= !line.starts_with("help: ");
        let number = line_number(line).unwrap_or_default();
        if elsewhere {
            lines.push(line.replacen(number, &" ".repeat(number.len()), 1));
        } else {
            own_width = own_width.max(number.len());
            lines.push(line.to_owned());
        }
    }
    let spare = " ".repeat(width.saturating_sub(own_width));
    let narrower = lines
        .into_iter()
        .map(|line| format!("{}\n", line.strip_prefix(&spare).unwrap_or(&line)));
    narrower.collect()
}

/// What comes before the arrow in a line that names a place, and the place: ` ` and `src/main.rs:1:5` of ` --> src/main.rs:1:5`.
fn place(line: &str) -> Option<(&str, String)> {
    let mut arrows = ["--> ", "::: "].iter();
    let (before, place) = arrows.find_map(|it| line.split_once(it))?;
    before
        .trim()
        .is_empty()
        .then(|| (before, place.replace('\\', "/")))
}

/// The package of a place in a crate, with the start of its version up to the first number that isn't zero: `http` and `0.2`
/// of `.../registry/src/index/http-0.2.12/src/status.rs:45:1`.
fn package_of(place: &str) -> Option<(String, String)> {
    let (_, below) = place.split_once("/registry/src/")?;
    let (name, version) = below.split('/').nth(1)?.rsplit_once('-')?;
    let zeros = version.split('.').take_while(|it| *it == "0").count();
    let numbers: Vec<_> = version.split('.').take(zeros + 1).collect();
    Some((name.to_owned(), numbers.join(".")))
}

/// The number before a source line of a diagnostic: `17` of `  17 |     spawn(...)`.
fn line_number(line: &str) -> Option<&str> {
    let (number, rest) = line.trim_start().split_once(' ')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && rest.trim_start().starts_with(['|', '/', '~', '+', '-'])).then_some(number)
}

/// The compiler that is used here, as it names itself, with a line end.
///
/// Fails if it cannot be started.
pub fn compiler(project: &Project) -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .current_dir(project.root())
        .arg("--version")
        .output()
        .context("cannot ask rustc for its version")?;
    if !output.status.success() {
        bail!(
            "rustc --version failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n"))
}

/// Compares what a compiler said with what the book shows.
///
/// With the compiler that wrote the messages, they agree to the letter. With another one the text may
/// differ, but the errors must be the same ones, by their codes.
///
/// # Errors
///
/// How the two differ.
pub fn compare(expected: &str, said: &str, same_compiler: bool) -> Result<(), String> {
    let agree = if same_compiler {
        expected == said
    } else {
        codes(expected) == codes(said)
    };
    if agree {
        return Ok(());
    }
    let why = if same_compiler {
        "the compiler's message is not the one that the book shows".to_owned()
    } else {
        format!(
            "on this compiler, the errors ({}) differ from those in the book ({})",
            codes(said).join(", "),
            codes(expected).join(", ")
        )
    };
    Err(format!("{why}\n\n{}", crate::compare::diff(expected, said)))
}

/// The codes of the errors in a message, sorted; an error without a code counts by its text.
fn codes(message: &str) -> Vec<String> {
    let mut codes: Vec<_> = message
        .lines()
        .filter_map(|line| {
            let rest = line.strip_prefix("error")?;
            let code = rest
                .strip_prefix('[')
                .and_then(|rest| rest.split(']').next());
            Some(
                code.unwrap_or(rest.trim_start_matches(':').trim())
                    .to_owned(),
            )
        })
        .collect();
    codes.sort();
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str =
        "error[E0373]: async block may outlive\n --> a.rs:1:1\n\nerror: future cannot be sent\n";

    #[test]
    fn versions_stay_where_a_message_is_about_two_of_them() {
        let place =
            |package| format!("--> /home/a/.cargo/registry/src/index/{package}/src/a.rs:4:1\n");
        let old = place("http-0.2.12");
        let said = portable(
            &[&old, &place("http-1.5.0"), &place("tokio-1.54.1")]
                .map(String::as_str)
                .concat(),
        );
        let expected = "--> $CARGO/http-0.2.$VERSION/src/a.rs\n--> $CARGO/http-1.$VERSION/src/a.rs\n--> $CARGO/tokio-$VERSION/src/a.rs\n";
        assert_eq!(said, expected);
        assert_eq!(portable(&old), "--> $CARGO/http-$VERSION/src/a.rs\n");
    }

    #[test]
    fn the_same_compiler_must_say_the_same() {
        assert!(compare(MESSAGE, MESSAGE, true).is_ok());
        let error = compare(MESSAGE, &MESSAGE.replace("outlive", "live longer"), true).unwrap_err();
        assert!(
            error.contains("-error[E0373]: async block may outlive"),
            "{error}"
        );
    }

    #[test]
    fn another_compiler_must_find_the_same_errors() {
        assert!(compare(MESSAGE, &MESSAGE.replace("outlive", "live longer"), false).is_ok());
        let error = compare(MESSAGE, &MESSAGE.replace("E0373", "E0597"), false).unwrap_err();
        let why = "on this compiler, the errors (E0597, future cannot be sent) differ from those in the book (E0373, future cannot be sent)";
        assert!(error.starts_with(why), "{error}");
    }
}
