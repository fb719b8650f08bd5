//! Promises about what is outside of pages and programs: the browser that shows the site, and new releases
//! of the dependencies.

use crate::breakage::{Breakage, Edit};
use crate::check::Check;
use crate::rows::pages::inserted;
use crate::sample::{Sample, numbered, pick, with_line};
use fastrand::Rng;
use model::sources;
use regex::Regex;
use std::fs;
use std::path::{Path, PathBuf};

/// Promise 15.
pub fn broken_site(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let elements = [
        (
            "<p style=\"color: #aaa; background: #999\">Too faint to read.</p>",
            "accessibility violation (WCAG)",
        ),
        (
            "<img src=\"https://example.com/dot.png\" alt=\"A dot.\">",
            "external request: https://example.com/dot.png",
        ),
        (
            "<div style=\"width: 3000px\">Wider than any screen.</div>",
            "the page scrolls sideways",
        ),
        ("<input type=\"text\">", "accessibility violation (WCAG)"),
    ];
    let mut breakages: Vec<Breakage> = elements
        .iter()
        .filter_map(|(html, says)| {
            let anything = Check::test("pages");
            let mut breakage = inserted(sample, rng, 15, html, 0, &anything, says)?;
            breakage.check = Check::Browser {
                page: Some(breakage.edits.first()?.file.clone()),
            };
            Some(breakage)
        })
        .collect();
    let script = "theme/site.js";
    let text = sample.project.read(script).unwrap_or_default();
    let lines = numbered(&text).filter(|(_, line)| line.starts_with("  addEventListener("));
    if let (Some((number, line)), Some(page)) = (pick(rng, lines), pick(rng, &sample.pages)) {
        for (what, broken) in [
            ("is no JavaScript", line.replace("('", "('']")),
            (
                "calls what is not there",
                line.replace("addEventListener(", "addListener("),
            ),
        ] {
            breakages.push(Breakage {
                promise: 15,
                what: format!("{script}:{number} {what}"),
                edits: vec![Edit::write(script, with_line(&text, number, Some(&broken)))],
                check: Check::Browser {
                    page: Some(page.file.clone()),
                },
                place: format!("{script}:{number}"),
                says: "console error".into(),
            });
        }
    }
    breakages
}

/// A release of a dependency as it might come: what is changed in its source.
struct Release {
    package: &'static str,
    what: &'static str,
    file: &'static str,
    changes: &'static [(&'static str, &'static str)],
    /// A listing with these words, and with these in its output, notices.
    used_as: &'static str,
    prints: &'static str,
    says: &'static str,
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
        says: "does not compile",
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
        says: "prints something else than this file says",
    },
    Release {
        package: "allocation-counter",
        what: "counts otherwise",
        file: "src/allocator.rs",
        changes: &[("info.count_total += 1;", "info.count_total += 2;")],
        used_as: ".count_total",
        prints: "",
        says: "prints something else than this file says",
    },
];

/// Promise 16.
pub fn new_releases(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let mut breakages = Vec::new();
    for release in RELEASES {
        let uses = sample.listings.iter().filter(|it| {
            let output = it.output.as_deref().unwrap_or_default();
            it.text.contains(release.used_as) && output.contains(release.prints)
        });
        let Some(listing) = pick(rng, uses) else {
            continue;
        };
        let Some(edits) = released(sample, release) else {
            continue;
        };
        let place = match release.says {
            "does not compile" => listing.name.source(),
            _ => listing.name.output(),
        };
        breakages.push(Breakage {
            promise: 16,
            what: format!(
                "a release of {} {}, which {} uses",
                release.package, release.what, listing.name
            ),
            edits,
            check: Check::only("outputs", listing.name.to_string()),
            place,
            says: release.says.into(),
        });
    }
    breakages.extend(no_weekly_run(sample, rng));
    breakages
}

/// Puts a changed copy of a package in the place of the locked one.
fn released(sample: &Sample, release: &Release) -> Option<Vec<Edit>> {
    let folder = sources::folders(&sample.project)
        .ok()?
        .remove(release.package)?;
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
        edits.push(Edit::write(
            format!("released/{}/{name}", release.package),
            text,
        ));
    }
    let manifest = sample.project.read("Cargo.toml").ok()?;
    let manifest = manifest.replacen(
        "[workspace]\n",
        "[workspace]\nexclude = [\"released\"]\n",
        1,
    );
    let patch = format!(
        "\n[patch.crates-io]\n{package} = {{ path = \"released/{package}\" }}\n",
        package = release.package
    );
    edits.push(Edit::write("Cargo.toml", manifest + &patch));
    Some(edits)
}

/// What is text below a folder; tests and documents are of no use here.
fn text_files(folder: &Path, below: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join(below))
        .into_iter()
        .flatten()
        .flatten();
    let mut files = Vec::new();
    for entry in entries {
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

/// The weekly run looks at nothing new any more, or nobody hears of it.
fn no_weekly_run(sample: &Sample, rng: &mut Rng) -> Vec<Breakage> {
    let mut breakages = Vec::new();
    let weekly = ".github/workflows/fresh.yml";
    let workflow = sample.project.read(weekly).unwrap_or_default();
    let mut edit = |what: String, file: &str, text: String, place: String, says: &str| {
        breakages.push(Breakage {
            promise: 16,
            what,
            edits: vec![Edit::write(file, text)],
            check: Check::test("weekly"),
            place,
            says: says.into(),
        });
    };
    for (needed, says) in [
        ("- cron:", "no schedule runs it every week"),
        ("cargo update", "it does not take the newest dependencies"),
        ("gh issue create", "nobody is told what drifted"),
    ] {
        let without: String = workflow
            .lines()
            .filter(|line| !line.contains(needed))
            .map(|line| format!("{line}\n"))
            .collect();
        edit(
            format!("{weekly} has no `{needed}`"),
            weekly,
            without,
            weekly.into(),
            says,
        );
    }
    let runs = numbered(&workflow).filter(|(_, line)| line.contains("bash .ci/run"));
    if let Some((number, line)) = pick(rng, runs) {
        let text = with_line(
            &workflow,
            number,
            Some(&line.replace("bash .ci/run", "bash .ci/run || true")),
        );
        edit(
            format!("{weekly}:{number} passes whatever happens"),
            weekly,
            text,
            format!("{weekly}:{number}"),
            "lets a failure pass",
        );
    }
    let manifest = sample.project.read("Cargo.toml").unwrap_or_default();
    let requirement = Regex::new(r#"^(\w[\w-]* = )"(\d[\d.]*)"$"#).expect("a constant expression");
    let requirements = numbered(&manifest).filter(|(_, line)| requirement.is_match(line));
    if let Some((number, line)) = pick(rng, requirements) {
        let pinned = requirement.replace(line, "${1}\"=${2}\"");
        let text = with_line(&manifest, number, Some(&pinned));
        edit(
            format!("Cargo.toml:{number} takes no new release: {pinned}"),
            "Cargo.toml",
            text,
            format!("Cargo.toml:{number}"),
            "no newer release is ever tried",
        );
    }
    breakages
}
