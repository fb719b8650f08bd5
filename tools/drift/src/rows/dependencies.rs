//! Dependencies: a feature is missing, or a new release breaks a program. The weekly run tries new releases.

use crate::breakage::{Breakage, Check, Edit};
use crate::snapshot::{BookSnapshot, files_below};
use crate::text::{pick, regex};
use fastrand::Rng;
use model::sources;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A feature that a program needs is missing in the workspace's manifest, and so in the manifest that its page shows.
pub fn missing_feature(snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    // Another crate switches `test-util` on as well, so the programs compile, but not with the manifest that is shown.
    let (feature, used_as, only_ours) = pick(
        rng,
        [
            ("join-map", "tokio_util::task::JoinMap", true),
            ("test-util", "start_paused", false),
        ],
    )?;
    let mut users = snapshot.listings.iter();
    let user = users.find(|it| it.source.text.contains(used_as))?;
    let expression = regex(&format!(
        r#"^(tokio.*)(?:, "{feature}"|"{feature}", )(.*)$"#
    ));
    let manifest = snapshot.file("Cargo.toml");
    let mut lines = manifest.lines();
    let line = lines.find(|line| expression.is_match(line.text))?;
    let without = expression.replace(line.text, "${1}${2}");
    let broken = |check| line.broken(&format!("lacks the feature {feature}"), &without, check);
    Some(match only_ours {
        true => broken(Check::one("outputs", user.name.to_string()))
            .reported_at(&user.source.file)
            .with_words("error"),
        false => broken(Check::all("manifests"))
            .reported_at(format!("listings/{}/Cargo.toml", user.name.part)),
    })
}

/// A release of a dependency as it might come.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    package: String,
    what: String,
    /// The file that it changes, and how.
    file: String,
    changes: Vec<[String; 2]>,
    /// A listing that has the first text in its source, and the second in its output, notices.
    used_as: String,
    #[serde(default)]
    prints: String,
    /// The listing doesn't compile anymore, instead of printing something else.
    #[serde(default)]
    breaks_build: bool,
}

fn releases() -> Vec<Release> {
    let all: Result<BTreeMap<String, _>, _> = toml::from_str(include_str!("releases.toml"));
    all.expect("releases.toml is as it should be")
        .remove("release")
        .unwrap_or_default()
}

/// New releases break programs, and the weekly run no longer tries them or no longer reports it.
pub fn new_releases(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Option<Breakage>> {
    let releases = releases();
    let released = releases.iter().map(|it| released(snapshot, rng, it));
    let mut breakages: Vec<_> = released.collect();
    let workflow = snapshot.file(".github/workflows/fresh.yml");
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
        let breakage = Breakage::new(what, edit, Check::all("weekly"), &workflow.file);
        breakages.push(Some(breakage.with_words(needed)));
    }
    breakages
}

/// The workspace uses a changed copy of a package.
fn released(snapshot: &BookSnapshot, rng: &mut Rng, release: &Release) -> Option<Breakage> {
    let users = snapshot.listings.iter().filter(|listing| {
        let output = listing.output.as_ref().map_or("", |output| &output.text);
        listing.source.text.contains(&release.used_as) && output.contains(&release.prints)
    });
    let name = &pick(rng, users)?.name;
    let package = &*release.package;
    let folder = sources::folders(&snapshot.project).ok()?.remove(package)?;
    let mut edits = Vec::new();
    for (file, mut text) in files_below(&folder) {
        if file == release.file {
            for [from, to] in &release.changes {
                if !text.contains(from) {
                    return None;
                }
                text = text.replace(from, to);
            }
        }
        edits.push(Edit::write(format!("released/{package}/{file}"), text));
    }
    let (workspace, excluding) = ("[workspace]\n", "[workspace]\nexclude = [\"released\"]\n");
    let mut manifest = snapshot.file("Cargo.toml");
    manifest.text = manifest.text.replacen(workspace, excluding, 1);
    let patch = format!("\n[patch.crates-io]\n{package} = {{ path = \"released/{package}\" }}\n");
    let what = format!("a release of {package} {}, which {name} uses", release.what);
    let check = Check::one("outputs", name.to_string());
    let breakage = Breakage::new(what, manifest.with_end(&patch), check, name.output());
    let breakage = breakage.with_edits(edits);
    Some(match release.breaks_build {
        true => breakage.reported_at(name.source()).with_words("join_next"),
        false => breakage,
    })
}
