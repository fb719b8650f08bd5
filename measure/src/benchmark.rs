//! Runs a benchmark, and reads the times that Criterion wrote.

use anyhow::{Context, Result, bail};
use model::Project;
use model::measured::{Spec, Time};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The times of one round: what each way took in each row, in nanoseconds for a whole iteration.
pub type Round = BTreeMap<(String, String), f64>;

/// How long Criterion measures, and how many samples it takes. Short, because several rounds say more about a
/// machine than one long measurement does.
const CRITERION_OPTIONS: [&str; 7] = [
    "--noplot",
    "--warm-up-time",
    "0.3",
    "--measurement-time",
    "0.6",
    "--sample-size",
    "15",
];

/// Runs a benchmark once.
///
/// Fails if the benchmark doesn't build or fails, or Criterion's files aren't as expected.
pub fn run(project: &Project, name: &str) -> Result<Round> {
    let folder = criterion_folder(project);
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["bench", "--quiet", "--package", "benches"])
        .args(["--bench", name, "--"])
        .args(CRITERION_OPTIONS)
        .current_dir(project.root())
        .env("CRITERION_HOME", &folder)
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!(
            "the benchmark {name} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    read(&folder.join(name))
}

fn criterion_folder(project: &Project) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    project.root().join(target).join("benches")
}

/// Reads the times in a benchmark group's folder.
fn read(group: &Path) -> Result<Round> {
    let mut round = Round::new();
    for way in subfolders(group)? {
        for row in subfolders(&way)? {
            let file = row.join("new/estimates.json");
            if !file.is_file() {
                continue;
            }
            let text = fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let estimates: Value = serde_json::from_str(&text)
                .with_context(|| format!("{} is not JSON", file.display()))?;
            let median = estimates["median"]["point_estimate"]
                .as_f64()
                .with_context(|| format!("{} has no median", file.display()))?;
            round.insert((name(&row), name(&way)), median);
        }
    }
    if round.is_empty() {
        bail!(
            "Criterion wrote no times to {}; name the benchmark group like its file, and its parts \
             `BenchmarkId::new(way, row)`",
            group.display()
        );
    }
    Ok(round)
}

fn subfolders(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| path.is_dir()).collect())
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The median, minimum, and maximum of several rounds, for a single future or call each.
pub fn summary(spec: &Spec, rounds: &[Round]) -> Vec<Time> {
    let Some(first) = rounds.first() else {
        return Vec::new();
    };
    let each = f64::from(spec.each);
    let mut times = Vec::new();
    for part in first.keys() {
        let mut all: Vec<f64> = rounds
            .iter()
            .filter_map(|round| round.get(part))
            .map(|time| rounded(time / each))
            .collect();
        all.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (all.first(), all.last()) else {
            continue;
        };
        times.push(Time {
            row: part.0.clone(),
            way: part.1.clone(),
            median: all[all.len() / 2],
            least: *least,
            most: *most,
        });
    }
    times
}

/// Rounded to hundredths of a nanosecond, the precision of a record.
fn rounded(nanoseconds: f64) -> f64 {
    (nanoseconds * 100.0).round() / 100.0
}

/// The versions of the crates that a benchmark uses.
///
/// Fails if Cargo.lock cannot be read.
pub fn crates(project: &Project, source: &str) -> Result<BTreeMap<String, String>> {
    let mut crates = BTreeMap::new();
    for name in ["futures", "tokio"] {
        if source.contains(&format!("{name}::")) {
            crates.insert(name.to_owned(), model::lock::version(project, name)?);
        }
    }
    Ok(crates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn times_are_read_by_row_and_way() {
        let book = Scratch::sound();
        for (way, row, median) in [("spawn", "empty", 30.0), ("spawn", "more", 90.5)] {
            book.write(
                &format!("ways/{way}/{row}/new/estimates.json"),
                format!("{{\"median\":{{\"point_estimate\":{median:?}}}}}"),
            );
        }
        book.write("ways/spawn/report/index.html", "");
        let round = read(&book.path("ways")).expect("they are there");
        let key = |row: &str| (row.to_owned(), "spawn".to_owned());
        assert_eq!(
            round,
            Round::from([(key("empty"), 30.0), (key("more"), 90.5)])
        );
    }

    #[test]
    fn a_group_without_times_says_how_to_name_it() {
        let book = Scratch::sound();
        book.write("ways/report/index.html", "");
        let error = read(&book.path("ways")).expect_err("there are none");
        assert!(error.to_string().contains("BenchmarkId::new(way, row)"));
    }

    #[test]
    fn the_median_of_the_rounds_is_recorded() {
        let spec = Spec {
            caption: String::new(),
            per: String::new(),
            each: 10,
            rows_are: String::new(),
            rows: Vec::new(),
            ways: Vec::new(),
            claims: Vec::new(),
        };
        let round = |time: f64| Round::from([(("a".to_owned(), "b".to_owned()), time)]);
        let times = summary(&spec, &[round(30.0), round(10.0), round(500.0)]);
        assert_eq!(
            (times[0].least, times[0].median, times[0].most),
            (1.0, 3.0, 50.0)
        );
        assert_eq!(summary(&spec, &[]), []);
    }
}
