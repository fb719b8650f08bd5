//! What was measured: what a benchmark's author says of it, and the record that it left.

//!
//! `benches/NAME.rs` does the work, `NAME.toml` beside it says what its parts are called and
//! what is claimed of them, and `benches/records/NAME.toml` holds what came out, on which machine.

pub mod checks;

use crate::problem::Problem;
use crate::project::Project;
use crate::suggest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;

/// What a page needs to know of a benchmark: written by its author.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What is compared, in a line.
    pub caption: String,
    /// What one time is the time of: `future`, `call`.
    pub per: String,
    /// How many of them a run of the benchmark does.
    pub each: u32,
    /// What the rows differ in, as the heading of their column.
    pub rows_are: String,
    /// The rows, in the order of the page.
    #[serde(rename = "row")]
    pub rows: Vec<Part>,
    /// The ways that are compared, in the order of the page. The first one is what the others are compared
    /// with.
    #[serde(rename = "way")]
    pub ways: Vec<Part>,
    /// What the prose may rely on.
    #[serde(default, rename = "claim")]
    pub claims: Vec<Claim>,
}

/// A row or a way.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name in the benchmark.
    pub id: String,
    /// Its name on the page, as Markdown.
    pub name: String,
}

/// That one way is so many times as quick as another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The quicker way, by its id.
    pub quicker: String,
    /// The slower one.
    pub slower: String,
    /// The row, by its id; needed where there are several.
    pub row: Option<String>,
    /// How many times as long the slower one takes, at least.
    pub times: f64,
    /// It comes from work on several cores. A record must bear it out; a machine that shares its cores with
    /// others need not.
    #[serde(default)]
    pub needs_idle_cores: bool,
}

/// What came out: written by `cargo run --package measure`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The benchmark as it was then: its [`checksum`].
    pub source: String,
    /// When, as year, month and day.
    pub date: String,
    /// The processor, the number of its cores, the system.
    pub machine: String,
    /// The compiler's version.
    pub rust: String,
    /// The versions of the crates that were measured.
    pub crates: BTreeMap<String, String>,
    /// How many times everything was measured, one after the other.
    pub rounds: u32,
    /// What each took.
    #[serde(rename = "time")]
    pub times: Vec<Time>,
}

/// What one way took in one row, in nanoseconds for each future or call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    /// The row's id.
    pub row: String,
    /// The way's id.
    pub way: String,
    /// The round in the middle.
    pub median: f64,
    /// The quickest round.
    pub least: f64,
    /// The slowest round.
    pub most: f64,
}

impl Record {
    /// What a way took in a row.
    pub fn time(&self, row: &str, way: &str) -> Option<&Time> {
        self.times
            .iter()
            .find(|time| time.row == row && time.way == way)
    }
}

/// The benchmark's program.
pub fn source_file(name: &str) -> String {
    format!("benches/{name}.rs")
}

/// What its author says of it.
pub fn spec_file(name: &str) -> String {
    format!("benches/{name}.toml")
}

/// What came out.
pub fn record_file(name: &str) -> String {
    format!("benches/records/{name}.toml")
}

/// All benchmarks, by name.
pub fn names(project: &Project) -> Vec<String> {
    let entries = fs::read_dir(project.root().join("benches"));
    let files = entries.into_iter().flatten().flatten();
    let mut names: Vec<_> = files
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|file| file != "Cargo.toml")
        .filter_map(|file| Some(file.strip_suffix(".toml")?.to_owned()))
        .collect();
    names.sort();
    names
}

/// The checksum of a text: it shows that a benchmark or a record was edited.
pub fn checksum(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    format!("{:08x}", crc32fast::hash(text.as_bytes()))
}

/// How the line of a record begins that has the checksum of the others.
const CHECKSUM: &str = "# Checksum of the data: ";

/// The data of a record with the line that has its checksum.
pub fn with_checksum(data: &str) -> String {
    format!("{CHECKSUM}{}\n{data}", checksum(data))
}

/// Checks that the data of a record is what was written with its checksum.
fn check_checksum(name: &str, text: &str) -> Result<(), Problem> {
    let file = record_file(name);
    let again = format!(
        "only `{}` writes this file: restore it, or measure again",
        measure_command(name)
    );
    let lines = || text.split_inclusive('\n');
    let found = lines().enumerate().find_map(|(at, line)| {
        let written = line.strip_prefix(CHECKSUM)?;
        Some((at, written.trim_end()))
    });
    let Some((at, written)) = found else {
        return Err(Problem::of(file, format!("has no checksum; {again}")));
    };
    let data: String = lines().skip(at + 1).collect();
    if checksum(&data) != written {
        let message =
            format!("the checksum does not match the data below, so a number was edited; {again}");
        return Err(Problem::at(file, at + 1, message));
    }
    Ok(())
}

/// What a benchmark's author says of it.
///
/// # Errors
///
/// There is no such benchmark, or its file is not what it should be.
pub fn spec(project: &Project, name: &str) -> Result<Spec, Problem> {
    let file = spec_file(name);
    if !project.has(&file) {
        let known = names(project);
        let hint = suggest::did_you_mean(name, known.iter().map(String::as_str));
        return Err(Problem::of(
            file,
            format!("there is no benchmark `{name}`{hint}"),
        ));
    }
    parse(&file, &project.read(&file)?)
}

/// What came out of a benchmark.
///
/// # Errors
///
/// It was not measured yet, or its record is not what it should be.
pub fn record(project: &Project, name: &str) -> Result<Record, Problem> {
    let file = record_file(name);
    if !project.has(&file) {
        return Err(Problem::of(
            &file,
            format!(
                "nothing was measured yet; `{}` does it",
                measure_command(name)
            ),
        ));
    }
    let text = project.read(&file)?;
    check_checksum(name, &text)?;
    parse(&file, &text)
}

fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Problem> {
    toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        Problem::at(file, line, error.message().to_owned())
    })
}

/// The command that measures a benchmark again.
pub fn measure_command(name: &str) -> String {
    format!("cargo run --package measure -- {name}")
}
