//! Promise: the manifest that a page shows is all that a reader needs.

use model::{ListingName, Project, manifest};
use runs::package;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn project() -> Project {
    Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here")
}

/// Every part's programs compile in a package of their own, with the shown manifest and nothing else:
/// not the features that other parts of the workspace switch on.
#[test]
fn the_shown_manifests_are_enough() {
    let project = project();
    for part in project.parts().expect("parts can be listed") {
        compile_with_the_shown_manifest(&project, &part, |name| name.part == part);
    }
}

/// The one manifest of everything, on the quick-start page, is enough for each program of the book.
#[test]
fn the_manifest_of_everything_is_enough() {
    compile_with_the_shown_manifest(&project(), manifest::ALL, |_| true);
}

/// Compiles programs as a reader would who puts the manifest that a page shows of `part` into a new package.
fn compile_with_the_shown_manifest(
    project: &Project,
    part: &str,
    is_one: impl Fn(&ListingName) -> bool,
) {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("manifests");
    let shown = manifest::shown(project, part).expect("the manifest can be shown");
    let listings = project.listings().expect("listings can be listed");
    let programs = listings.into_iter().filter(is_one).map(|name| {
        let text = project.read(&name.source()).expect("a listing can be read");
        (name.name, text)
    });
    let package = scratch.join(part);
    package::write(project, &package, &shown, &programs.collect())
        .expect("the package can be written");
    let compiled =
        package::compile(&package, "check", &scratch.join("target")).expect("cargo starts");
    if let Err(errors) = compiled {
        panic!(
            "{}: its programs do not compile with the manifest that its page shows:\n\n{shown}\n{errors}",
            manifest::file(part),
        );
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
