//! New releases of the dependencies: the weekly run tries them, and the tests notice what they break.

use super::outputs_test;
use crate::breakage::{Breakage, Check, Edit};
use crate::snapshot::BookSnapshot;
use crate::text::{pick, substituted};
use fastrand::Rng;
use pages::sources;
use std::fs;
use std::path::{Path, PathBuf};

/// A release of a dependency as it might come.
struct Release {
    package: &'static str,
    what: &'static str,
    /// The file that it changes, and how.
    file: &'static str,
    changes: &'static [(&'static str, &'static str)],
    /// A listing that has the first text in its source, and the second in its output, notices.
    used_as: &'static str,
    prints: &'static str,
    /// The listing doesn't compile anymore, instead of printing something else.
    breaks_build: bool,
}

const RELEASES: &[Release] = &[
    Release {
        package: "tokio-util",
        what: "renames JoinMap::join_next",
        file: "src/task/join_map.rs",
        changes: &[
            ("pub async fn join_next(", "pub async fn join_next_renamed("),
            ("while self.join_next()", "while self.join_next_renamed()"),
        ],
        used_as: "JoinMap",
        prints: "",
        breaks_build: true,
    },
    Release {
        package: "futures-util",
        what: "runs one future at a time in buffer_unordered",
        file: "src/stream/stream/mod.rs",
        changes: &[(
            "BufferUnordered::new(self, n)",
            "BufferUnordered::new(self, n.min(1))",
        )],
        used_as: ".buffer_unordered(",
        prints: " ms",
        breaks_build: false,
    },
    Release {
        package: "allocation-counter",
        what: "counts twice",
        file: "src/allocator.rs",
        changes: &[("info.count_total += 1;", "info.count_total += 2;")],
        used_as: ".count_total",
        prints: "",
        breaks_build: false,
    },
];

/// Promise 16.
pub fn new_releases(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let released = RELEASES.iter().filter_map(|release| {
        let users = snapshot.listings.iter().filter(|listing| {
            let output = listing.output.as_ref().map_or("", |output| &output.text);
            listing.source.text.contains(release.used_as) && output.contains(release.prints)
        });
        let name = &pick(rng, users)?.name;
        let Release { package, what, .. } = release;
        let what = format!("a release of {package} {what}, which {name} uses");
        let (patch, files) = patched(snapshot, release)?;
        let breakage = Breakage::new(what, patch, outputs_test(name), name.output());
        let breakage = breakage.with_edits(files);
        Some(match release.breaks_build {
            true => breakage.reported_at(name.source()).with_words("join_next"),
            false => breakage,
        })
    });
    let mut breakages: Vec<_> = released.collect();
    breakages.extend(no_weekly_run(snapshot, rng));
    breakages
}

/// The workspace's manifest, patched to use a changed copy of a package, and the files of that copy.
fn patched(snapshot: &BookSnapshot, release: &Release) -> Option<(Edit, Vec<Edit>)> {
    let package = release.package;
    let folder = sources::folders(&snapshot.project).ok()?.remove(package)?;
    let mut edits = Vec::new();
    for file in text_files(&folder, Path::new("")) {
        let name = file.to_string_lossy().replace('\\', "/");
        let mut text = fs::read_to_string(folder.join(&file)).ok()?;
        if name == release.file {
            for (from, to) in release.changes {
                if !text.contains(from) {
                    return None;
                }
                text = text.replace(from, to);
            }
        }
        edits.push(Edit::write(format!("released/{package}/{name}"), text));
    }
    let (workspace, excluding) = ("[workspace]\n", "[workspace]\nexclude = [\"released\"]\n");
    let mut manifest = snapshot.file("Cargo.toml");
    manifest.text = manifest.text.replacen(workspace, excluding, 1);
    let patch = format!("\n[patch.crates-io]\n{package} = {{ path = \"released/{package}\" }}\n");
    Some((manifest.with_end(&patch), edits))
}

/// The sources and manifests below a folder.
fn text_files(folder: &Path, below: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join(below)).into_iter().flatten();
    let mut files = Vec::new();
    for entry in entries.flatten() {
        let file = below.join(entry.file_name());
        if entry.path().is_dir() {
            files.extend(text_files(folder, &file));
        } else if file
            .extension()
            .is_some_and(|ending| ending == "rs" || ending == "toml" || ending == "md")
        {
            files.push(file);
        }
    }
    files
}

/// The weekly run tries nothing new anymore, or reports nothing.
fn no_weekly_run(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let check = || Check::all("weekly");
    let workflow = snapshot.file(".github/workflows/fresh.yml");
    let mut breakages = Vec::new();
    // The message names the missing command.
    for needed in [
        "- cron:",
        "cargo update",
        "cargo book drift",
        "gh issue create",
    ] {
        let lines = workflow.text.lines().filter(|line| !line.contains(needed));
        let without: String = lines.map(|line| format!("{line}\n")).collect();
        let what = format!("{} has no `{needed}`", workflow.file);
        let edit = Edit::write(&workflow.file, without);
        breakages.push(Breakage::new(what, edit, check(), &workflow.file).with_words(needed));
    }
    breakages.extend(substituted(
        rng,
        workflow.lines(),
        r"bash \.ci/run",
        "bash .ci/run || true",
        "passes even if the run fails",
        check(),
    ));
    breakages.extend(substituted(
        rng,
        snapshot.file("Cargo.toml").lines(),
        r#"^(\w[\w-]* = )"(\d[\d.]*)"$"#,
        "${1}\"=${2}\"",
        "pins a dependency",
        check(),
    ));
    breakages
}
