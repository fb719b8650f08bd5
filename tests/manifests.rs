//! Promise: the manifest that a page shows is what the part's programs are compiled with.
//!
//! `tests/outputs.rs` compiles every part's listings in a package whose `[dependencies]` are what the page shows. All parts are
//! built together, so one part could use a feature that only another part's dependencies switch on; here, cargo is asked which
//! features each part's dependencies have when the part is built alone. The few that are on because of others (`manifests/unused_features.toml`) add APIs
//! that the part's programs don't name.

use model::{Project, manifest};
use runs::build::plain;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

fn project() -> Project {
    Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here")
}

#[test]
fn the_shown_manifests_are_what_programs_are_compiled_with() {
    let project = project();
    let workspace = plain(&project).expect("the listings' workspace can be written");
    // The features of the direct dependencies of the selected packages.
    let features = |selection: &[&str]| -> BTreeMap<String, BTreeSet<String>> {
        let output = Command::new(runs::cargo())
            .args([
                "tree",
                "--depth=1",
                "--edges=normal",
                "--prefix=none",
                "--format={p}|{f}",
            ])
            .args(selection)
            .current_dir(workspace.root())
            .output()
            .expect("cargo starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo tree fails:\n{errors}");
        let mut features: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if let Some((package, on)) = line.split_once('|') {
                let package = package.trim_end_matches(" (proc-macro)").to_owned();
                let on = on.trim_end_matches(" (*)").split(',');
                features
                    .entry(package)
                    .or_default()
                    .extend(on.filter(|it| !it.is_empty()).map(str::to_owned));
            }
        }
        features
    };
    let unused = include_str!("manifests/unused_features.toml");
    let unused: BTreeMap<String, BTreeMap<String, Vec<String>>> =
        toml::from_str(unused).expect("a table for each package");
    let together = features(&["--workspace"]);
    for part in project.parts().expect("parts can be listed") {
        let alone = features(&["--package", &part]);
        assert!(alone.len() > 1, "{part} has no dependencies");
        let listings = project.listings().expect("listings can be listed");
        let programs: String = listings
            .iter()
            .filter(|name| name.part == part)
            .map(|name| project.read(&name.source()).expect("it can be read"))
            .collect();
        for (package, on) in &alone {
            for feature in together[package].difference(on) {
                let name = package.split(' ').next().unwrap_or_default();
                let words = unused.get(name).and_then(|it| it.get(feature));
                let is_unused =
                    words.is_some_and(|words| !words.iter().any(|it| programs.contains(it)));
                assert!(
                    is_unused,
                    "{}: `{package}` is compiled with the feature `{feature}`, which the manifest that the page shows \
                     doesn't have: the dependencies of other parts switch it on. If a program of this part needs it, name it in \
                     [workspace.dependencies] of Cargo.toml; if not, add it to tests/manifests/unused_features.toml",
                    manifest::file(&part),
                );
            }
        }
    }
}

/// The one manifest of everything, on the quick-start page, has each dependency of each part, as the part's page shows it.
#[test]
fn the_manifest_of_everything_is_that_of_all_parts() {
    let project = project();
    let read = |part: &str| -> toml::Table {
        let text = manifest::shown(&project, part).expect("the manifest can be shown");
        text.parse().expect("a manifest is TOML")
    };
    let all = read(manifest::ALL);
    for part in project.parts().expect("parts can be listed") {
        let own = read(&part);
        for (name, wanted) in own["dependencies"].as_table().expect("a table") {
            assert_eq!(
                all["dependencies"].get(name),
                Some(wanted),
                "the manifest of everything has another `{name}` than {}",
                manifest::file(&part)
            );
        }
    }
}
