//! A package of its own for programs and the manifest that a reader is shown for them.

use crate::cargo;
use crate::files::{lock_as_the_book, write_if_changed};
use anyhow::{Context, Result};
use model::Project;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use toml_edit::{DocumentMut, Item};

/// Writes a package into a folder, whose name it gets: with these `[dependencies]`, in the versions of the book's
/// Cargo.lock and with its profiles, and with these programs, each by its name.
///
/// # Errors
///
/// A file cannot be written, or the book has no Cargo.lock.
pub fn write(
    project: &Project,
    folder: &Path,
    dependencies: &str,
    programs: &BTreeMap<String, String>,
) -> Result<()> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{dependencies}\n[workspace]\n{}",
        profiles(project)?
    );
    write_if_changed(&folder.join("Cargo.toml"), &manifest)?;
    lock_as_the_book(project, folder)?;
    let sources = folder.join("src/bin");
    for (name, text) in programs {
        write_if_changed(&sources.join(format!("{name}.rs")), text)?;
    }
    for entry in fs::read_dir(&sources).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let name = file.to_string_lossy();
        if !programs.contains_key(name.trim_end_matches(".rs")) {
            let path = entry.path();
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// The book's own profiles: with others, what is built of the dependencies could not be shared.
fn profiles(project: &Project) -> Result<String> {
    let manifest: DocumentMut = project
        .read("Cargo.toml")?
        .parse()
        .context("Cargo.toml is no manifest")?;
    let mut profiles = DocumentMut::new();
    if let Some(profile) = manifest.get("profile") {
        profiles.insert("profile", Item::clone(profile));
    }
    Ok(profiles.to_string())
}

/// Checks (`check`) or builds (`build`) all programs of a package, into this target folder.
///
/// # Errors
///
/// The outer error: cargo cannot be started. The inner one: what the compiler says.
pub fn compile(folder: &Path, command: &str, target: &Path) -> Result<Result<(), String>> {
    let output = Command::new(cargo())
        .args([command, "--quiet", "--offline", "--bins", "--keep-going"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .context("cannot start cargo")?;
    Ok(match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).replace("\r\n", "\n")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn a_program_that_does_not_compile_is_told_and_one_that_is_gone_is_removed() {
        let book = Scratch::sound();
        let project = Project::open(book.root()).expect("a book");
        let folder = book.path("copied");
        let both = |second: &str| {
            BTreeMap::from([
                ("first".to_owned(), "fn main() {}\n".to_owned()),
                ("second".to_owned(), second.to_owned()),
            ])
        };
        let target = book.path("copied-target");
        write(
            &project,
            &folder,
            "[dependencies]\n",
            &both("fn main() { 1 }\n"),
        )
        .expect("written");
        let told = compile(&folder, "check", &target).expect("cargo starts");
        let told = told.expect_err("it does not compile");
        assert!(told.contains("src/bin/second.rs:1:13"), "{told}");
        let mut one = both("");
        one.remove("second");
        write(&project, &folder, "[dependencies]\n", &one).expect("written");
        let told = compile(&folder, "check", &target).expect("cargo starts");
        assert_eq!(told, Ok(()));
    }
}
