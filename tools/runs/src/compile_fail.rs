//! Programs that must not compile, and what the compiler says about them.
//!
//! trybuild compiles them and makes the messages the same on every machine. It takes its settings
//! from the process's environment, prints, and panics; so it runs in a child process: this same
//! executable, started once more (see [`run_as_child`]).

use anyhow::{Context, Result, bail};
use model::listing::CLIPPYS;
use model::{ListingName, Project};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The variable that makes a process compile instead of what it would do: the folder with the programs.
const CHILD: &str = "BOOK_COMPILE_FAIL_CHILD";

/// Clippy as a compiler.
const CLIPPY_DRIVER: &str = "clippy-driver";

/// A line of one of Clippy's programs that stands in its clippy.toml.
const SETTING: &str = "// clippy.toml: ";

/// Compiles programs that must not compile where this process was started for that, and then ends it.
///
/// Call it first thing in the `main` of every executable that calls [`messages`].
pub fn run_as_child() {
    let Some(folder) = env::var_os(CHILD) else {
        return;
    };
    let cases = trybuild::TestCases::new();
    cases.compile_fail(Path::new(&folder).join("*.rs"));
    drop(cases);
    std::process::exit(0);
}

/// What the compiler says about each of these programs; the inner error is that it says nothing.
///
/// # Errors
///
/// The programs cannot be handed to the compiler.
pub fn messages(
    project: &Project,
    names: &[ListingName],
) -> Result<BTreeMap<ListingName, Result<String, String>>> {
    let mut messages = BTreeMap::new();
    let mut groups: BTreeMap<(&str, bool), Vec<&ListingName>> = BTreeMap::new();
    for name in names {
        let is_clippys = project.read(&name.compile_fail())?.contains(CLIPPYS);
        let group = groups.entry((name.part.as_str(), is_clippys));
        group.or_default().push(name);
    }
    for ((part, is_clippys), names) in groups {
        // Inside the target folder, so that nothing else is written to, and because trybuild leaves
        // line numbers out of messages about files elsewhere.
        let target = crate::target(project);
        fs::create_dir_all(&target).with_context(|| format!("cannot make {}", target.display()))?;
        let folder = tempfile::Builder::new()
            .prefix("compile_fail-")
            .tempdir_in(&target)
            .with_context(|| format!("cannot make a folder in {}", target.display()))?;
        let copy_of = |name: &ListingName| folder.path().join(format!("{}.rs", name.name));
        let mut settings = BTreeSet::new();
        for name in &names {
            for line in project.read(&name.compile_fail())?.lines() {
                settings.extend(line.strip_prefix(SETTING).map(|it| format!("{it}\n")));
            }
            fs::copy(project.root().join(name.compile_fail()), copy_of(name))
                .with_context(|| format!("cannot copy {}", name.compile_fail()))?;
        }
        let part_folder = project.root().join("listings").join(part);
        let mut child =
            Command::new(env::current_exe().context("cannot find this program itself")?);
        if is_clippys {
            fs::write(
                folder.path().join("clippy.toml"),
                settings.into_iter().collect::<String>(),
            )
            .context("cannot write a clippy.toml")?;
            Command::new(CLIPPY_DRIVER)
                .arg("--version")
                .output()
                .context("Clippy is missing, which refuses some of the programs; `rustup component add clippy` installs it")?;
            // As `cargo clippy` has it compiled.
            child
                .env("RUSTC_WORKSPACE_WRAPPER", CLIPPY_DRIVER)
                .env("CLIPPY_CONF_DIR", folder.path());
        }
        let said = child
            .current_dir(project.root())
            .env("CARGO_MANIFEST_DIR", &part_folder)
            .env("CARGO_TARGET_DIR", &target)
            .env("TRYBUILD", "overwrite")
            .env(CHILD, folder.path())
            .output()
            .context("cannot start the compiler on the programs that must not compile")?;
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&said.stdout),
            String::from_utf8_lossy(&said.stderr)
        );
        for name in names {
            let copy = copy_of(name);
            let message = match fs::read_to_string(copy.with_extension("stderr")) {
                Ok(text) => Ok(with_real_path(&text, &copy, name)),
                Err(_)
                    if said.contains("Expected test case to fail to compile, but it succeeded") =>
                {
                    Err(format!(
                        "{}:1: this program compiles, but it is here because it must not; \
                     if the language has changed, mend the page and make this a listing",
                        name.compile_fail()
                    ))
                }
                Err(_) => Err(format!(
                    "{}: the compiler said nothing of it:\n{said}",
                    name.compile_fail()
                )),
            };
            messages.insert(name.clone(), message);
        }
    }
    Ok(messages)
}

/// trybuild names the copy that it compiled; a reader wants the file in the repository.
fn with_real_path(text: &str, copy: &Path, name: &ListingName) -> String {
    let copy = copy.to_string_lossy().replace('\\', "/");
    text.replace("\r\n", "\n")
        .replace(&copy, &name.compile_fail())
}

/// The compiler that is used here, as it names itself, with a line end.
///
/// # Errors
///
/// It cannot be started.
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
            "on this compiler the errors are others ({}) than in the book ({})",
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
        assert!(error.contains("E0597"), "{error}");
    }
}
