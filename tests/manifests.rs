//! Promise: the manifest that a page shows is all that a reader needs.

use pages::Project;
use runs::files::{lock_as_the_book, write_if_changed};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

fn project() -> Project {
    Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here")
}

/// Every part's programs compile in a package of their own, with the shown manifest and nothing else:
/// not the features that other parts of the workspace switch on.
#[test]
fn the_shown_manifests_are_enough() {
    let project = project();
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("manifests");
    for part in project.parts().expect("parts can be listed") {
        let shown =
            pages::manifest::dependencies(&project, &part).expect("the manifest can be shown");
        let package = scratch.join(&part);
        let manifest = format!(
            "[package]\nname = \"{part}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{shown}\n[workspace]\n"
        );
        write_file(&package.join("Cargo.toml"), &manifest);
        lock_as_the_book(&project, &package).expect("there is a Cargo.lock");
        let listings = project.listings().expect("listings can be listed");
        let names: BTreeSet<_> = listings.iter().filter(|name| name.part == part).collect();
        remove_others(
            &package.join("src/bin"),
            &names
                .iter()
                .map(|name| format!("{}.rs", name.name))
                .collect(),
        );
        for name in names {
            let text = project.read(&name.source()).expect("a listing can be read");
            write_file(&package.join(format!("src/bin/{}.rs", name.name)), &text);
        }
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["check", "--quiet", "--offline", "--bins", "--keep-going"])
            .current_dir(&package)
            .env("CARGO_TARGET_DIR", scratch.join("target"))
            .output()
            .expect("cargo starts");
        assert!(
            output.status.success(),
            "listings/{part}/Cargo.toml: the programs of this part do not compile with the manifest that its \
             page shows:\n\n{shown}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn write_file(file: &Path, text: &str) {
    write_if_changed(file, text).expect("a file can be written");
}

fn remove_others(folder: &Path, keep: &BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !keep.contains(&*entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path()).expect("a stale file can be removed");
        }
    }
}

/// skeptic links the programs of all pages with this package's dependencies, so they must be those of
/// all parts together.
#[test]
fn the_test_suite_has_what_the_parts_have() {
    let project = project();
    let ours = requirements(
        &project.read("Cargo.toml").expect("there is a manifest"),
        "dev-dependencies",
    );
    for part in project.parts().expect("parts can be listed") {
        let file = format!("listings/{part}/Cargo.toml");
        let theirs = requirements(
            &project.read(&file).expect("a part has a manifest"),
            "dependencies",
        );
        for (name, features) in theirs {
            let Some(own) = ours.get(&name) else {
                panic!("{file}: `{name}` is missing among the [dev-dependencies] of Cargo.toml");
            };
            let missing: Vec<_> = features.difference(own).cloned().collect();
            assert!(
                missing.is_empty(),
                "{file}: `{name}` has features that Cargo.toml's [dev-dependencies] do not: {}",
                missing.join(", ")
            );
        }
    }
}

/// The crates of a table of a manifest, with the features asked for there.
fn requirements(manifest: &str, table: &str) -> BTreeMap<String, BTreeSet<String>> {
    let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
    let dependencies = manifest
        .get(table)
        .and_then(toml::Value::as_table)
        .cloned()
        .unwrap_or_default();
    dependencies
        .into_iter()
        .map(|(name, wanted)| {
            let features = wanted
                .get("features")
                .and_then(toml::Value::as_array)
                .cloned()
                .unwrap_or_default();
            let features = features
                .iter()
                .filter_map(toml::Value::as_str)
                .map(str::to_owned)
                .collect();
            (name, features)
        })
        .collect()
}
