//! The versions that Cargo.lock holds.

use crate::problem::Problem;
use crate::project::Project;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;

const LOCK: &str = "Cargo.lock";

/// The name of the language, in place of a crate's.
pub const RUST: &str = "rust";

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// The version of a crate that the book's programs are built with, from Cargo.lock; for `rust`, the
/// version of Rust that Cargo.toml asks for.
///
/// # Errors
///
/// The lock file or manifest cannot be read, or none of the book's own crates depends on that crate.
pub fn version(project: &Project, name: &str) -> Result<String, Problem> {
    if name == RUST {
        return rust_version(project);
    }
    let lock = read(project)?;
    // The book's own packages have no source. Where a crate is there in two versions, a package's
    // dependency reads "name version".
    let direct: BTreeSet<&str> = lock
        .package
        .iter()
        .filter(|package| package.source.is_none())
        .flat_map(|package| &package.dependencies)
        .map(String::as_str)
        .collect();
    let mut versions = lock
        .package
        .iter()
        .filter(|package| package.name == name && package.source.is_some())
        .map(|package| package.version.as_str())
        .filter(|version| {
            direct.contains(name) || direct.contains(format!("{name} {version}").as_str())
        });
    match (versions.next(), versions.next()) {
        (Some(version), None) => Ok(version.to_owned()),
        (None, _) => Err(Problem::of(
            LOCK,
            format!("none of the book's crates depends on `{name}`, so it has no version to show"),
        )),
        (Some(one), Some(other)) => Err(Problem::of(
            LOCK,
            format!("the book's crates depend on two versions of `{name}`: {one} and {other}"),
        )),
    }
}

/// The name and version of each package in Cargo.lock that isn't the book's own.
///
/// # Errors
///
/// The lock file cannot be read.
pub fn packages(project: &Project) -> Result<Vec<(String, String)>, Problem> {
    let lock = read(project)?;
    let packages = lock.package.iter();
    Ok(packages
        .filter(|package| package.source.is_some())
        .map(|package| (package.name.clone(), package.version.clone()))
        .collect())
}

/// The version of a crate in Cargo.lock, whichever package depends on it.
///
/// # Errors
///
/// The lock file cannot be read, or has no or several versions of that crate.
pub fn locked(project: &Project, name: &str) -> Result<String, Problem> {
    let lock = read(project)?;
    let mut versions = lock
        .package
        .iter()
        .filter(|package| package.name == name && package.source.is_some())
        .map(|package| package.version.as_str());
    match (versions.next(), versions.next()) {
        (Some(version), None) => Ok(version.to_owned()),
        (None, _) => Err(Problem::of(LOCK, format!("there is no `{name}` in it"))),
        (Some(one), Some(other)) => Err(Problem::of(
            LOCK,
            format!("there are two versions of `{name}` in it: {one} and {other}"),
        )),
    }
}

/// The names of the crates that the book's own crates depend on.
///
/// # Errors
///
/// The lock file cannot be read.
pub fn direct_dependencies(project: &Project) -> Result<BTreeSet<String>, Problem> {
    let lock = read(project)?;
    let own = lock
        .package
        .iter()
        .filter(|package| package.source.is_none());
    let names = own.flat_map(|package| &package.dependencies);
    Ok(names
        .filter_map(|name| name.split(' ').next().map(str::to_owned))
        .collect())
}

/// The names of all crates that are not the book's own.
///
/// # Errors
///
/// The lock file cannot be read.
pub fn others(project: &Project) -> Result<BTreeSet<String>, Problem> {
    let lock = read(project)?;
    let others = lock
        .package
        .iter()
        .filter(|package| package.source.is_some());
    Ok(others.map(|package| package.name.clone()).collect())
}

fn read(project: &Project) -> Result<Arc<Lock>, Problem> {
    type Parsed = Result<Arc<Lock>, Problem>;
    let lock = project.once(LOCK, || -> Parsed {
        let lock = toml::from_str(&project.read(LOCK)?);
        lock.map(Arc::new)
            .map_err(|error| Problem::of(LOCK, format!("is not a lock file: {error}")))
    });
    lock.as_ref().clone()
}

fn rust_version(project: &Project) -> Result<String, Problem> {
    let version = project.once("rust-version", || RustVersion(read_rust_version(project)));
    version.0.clone()
}

struct RustVersion(Result<String, Problem>);

fn read_rust_version(project: &Project) -> Result<String, Problem> {
    let file = "Cargo.toml";
    let manifest: toml::Table = toml::from_str(&project.read(file)?)
        .map_err(|error| Problem::of(file, format!("is not a manifest: {error}")))?;
    manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.get("rust-version")?.as_str())
        .map(str::to_owned)
        .ok_or_else(|| Problem::of(file, "has no workspace.package.rust-version"))
}
