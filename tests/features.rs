//! Promise: what src/compile_errors/features.md says that a crate's API needs, it needs.
//!
//! Of crates without features, the APIs in its tables don't exist, except those that need none, and if the compiler names the
//! feature that hides an API, it's the table's.
//! `cargo test --test features -- --ignored` compiles the features of each row alone, and finds all of its APIs.

#![cfg(unix)]

use model::source::MANIFEST;
use model::{ProgramId, Project};
use regex::Regex;
use runs::own_manifest::compile;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

const PAGE: &str = "src/compile_errors/features.md";

/// A listing whose comment says which features it needs.
const LISTING: &str = "compile_errors/feature_of_each_line";

static PROJECT: LazyLock<Project> =
    LazyLock::new(|| Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here"));

/// An API, and the features of its crate that it needs.
struct Row {
    /// Its line on the page.
    at: usize,
    api: String,
    features: Vec<String>,
    /// These, and the others that the table mentions, such as those that they include.
    mentioned: Vec<String>,
}

impl Row {
    /// The crate as a manifest names it.
    fn package(&self) -> String {
        let (name, _) = self.api.split_once("::").expect("a path");
        name.replace('_', "-")
    }

    /// A line of a program that doesn't compile without the API.
    fn line(&self, number: usize) -> String {
        let (parent, _) = self.api.rsplit_once("::").expect("a path");
        let (_, parent) = parent.rsplit_once("::").unwrap_or(("", parent));
        match parent.starts_with(|c: char| c.is_ascii_uppercase()) {
            true => format!("const _: () = {{ let _ = {}; }};\n", self.api),
            false => format!("use {} as line_{number};\n", self.api),
        }
    }
}

/// The rows of the tables whose second column says what to enable.
fn rows() -> Vec<Row> {
    let api = Regex::new(r"\[`([^`]+)`\](?:\[([^\]]+)\])?").expect("a pattern");
    let page = PROJECT.read(PAGE).expect("the page is there");
    let mut rows = Vec::new();
    let mut is_table = false;
    let lines = page.lines().enumerate();
    for (at, line) in lines.filter(|(_, line)| !line.starts_with("|---")) {
        let cells: Vec<_> = line.split(" | ").collect();
        let [apis, features] = cells[..] else {
            is_table = false;
            continue;
        };
        if features.starts_with("Enable in ") {
            is_table = true;
        } else if is_table {
            let quoted = |text: &str| -> Vec<String> {
                text.split('"')
                    .skip(1)
                    .step_by(2)
                    .map(str::to_owned)
                    .collect()
            };
            let needed = features.split([',', ';']).next().unwrap_or_default();
            let is_known = features.starts_with('"') || features.starts_with("nothing");
            assert!(is_known, "{line}");
            let paths = api.captures_iter(apis);
            rows.extend(
                paths
                    .filter_map(|path| path.get(2).or(path.get(1)))
                    .map(|path| Row {
                        at: at + 1,
                        api: path.as_str().to_owned(),
                        features: quoted(needed),
                        mentioned: quoted(features),
                    }),
            );
        }
    }
    assert!(rows.len() > 50, "{} APIs are in the tables", rows.len());
    rows
}

/// The errors of a program with these APIs, by the API.
fn errors(name: &str, dependencies: &BTreeSet<String>, rows: &[&Row]) -> BTreeMap<String, String> {
    let mut text = String::new();
    for dependency in dependencies {
        text.push_str(&format!("{MANIFEST}{dependency}\n"));
    }
    for (number, row) in rows.iter().enumerate() {
        text.push_str(&row.line(number));
    }
    text.push_str("fn main() {}\n");
    let name = ProgramId::in_part("features", name);
    let compiled = compile(&PROJECT, &name, &text).expect("cargo starts");
    let diagnostics = compiled.diagnostics.values().flatten();
    let mut errors = BTreeMap::new();
    for error in diagnostics.filter(|it| it["level"] == "error") {
        let spans = error["spans"].as_array().into_iter().flatten();
        let mut own = spans.filter(|it| it["is_primary"] == true);
        let Some(line) = own.find_map(|it| it["line_start"].as_u64()) else {
            continue;
        };
        let line = usize::try_from(line).expect("a line") - 1 - dependencies.len();
        let row = rows.get(line).unwrap_or_else(|| panic!("{error}"));
        let said: &mut String = errors.entry(row.api.clone()).or_default();
        said.push_str(error["rendered"].as_str().unwrap_or_default());
    }
    if errors.is_empty() {
        assert_eq!(compiled.errors, "", "{text}");
    }
    errors
}

fn dependency(package: &str, features: &[String]) -> String {
    let version = model::lock::version(&PROJECT, package).expect("it's locked");
    format!(
        "{package} = {{ version = {version:?}, default-features = false, features = {features:?} }}"
    )
}

#[test]
fn without_features_only_those_apis_exist_that_need_none() {
    let rows = rows();
    // The other crates enable some of Tokio's features.
    let (tokio, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.package() == "tokio");
    let mut wrong = Vec::new();
    for (name, rows) in [("tokio", tokio), ("others", others)] {
        let dependencies = rows.iter().map(|row| dependency(&row.package(), &[]));
        let errors = errors(name, &dependencies.collect(), &rows);
        for row in rows {
            let (api, features, error) = (&row.api, &row.features, errors.get(&row.api));
            let named =
                error.and_then(|it| it.split_once("is gated behind the `")?.1.split('`').next());
            let place = format!("{PAGE}:{}", row.at);
            if features.is_empty()
                && let Some(error) = error
            {
                wrong.push(format!("{place}: `{api}` needs a feature:\n{error}"));
            } else if !features.is_empty() && error.is_none() {
                wrong.push(format!("{place}: `{api}` exists without {features:?}"));
            } else if let Some(named) =
                named.filter(|it| !row.mentioned.iter().any(|other| other == it))
            {
                wrong.push(format!(
                    "{place}: `{api}` needs {named:?}, and not {features:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "compiles Tokio with the features of each row alone, which takes a minute; .ci/run and the weekly run do it"]
fn each_feature_alone_brings_its_apis() {
    let rows = rows();
    let mut by_dependency: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        let dependency = dependency(&row.package(), &row.features);
        by_dependency.entry(dependency).or_default().push(row);
    }
    for (dependency, rows) in by_dependency {
        let dependencies = BTreeSet::from([dependency.clone()]);
        let errors = errors("alone", &dependencies, &rows);
        assert!(errors.is_empty(), "{PAGE}: {dependency}: {errors:?}");
    }
    let listing = ProgramId::parse(LISTING).expect("a name");
    let text = PROJECT.read(&listing.source()).expect("it's there");
    let compiled = compile(&PROJECT, &listing, &text).expect("cargo starts");
    assert_eq!(compiled.errors, "", "{LISTING}");
}
