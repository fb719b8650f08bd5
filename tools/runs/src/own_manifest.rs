//! Programs that must not compile because of their Cargo.toml: a feature is missing in it, or it asks for a second version
//! of a crate.
//!
//! Comments in such a program say what its manifest has. Each is a workspace of its own below the target folder, as it
//! would be at a reader's, and a cargo of its own builds it: built together with others, its dependencies would have
//! their features, too.

use crate::build::{Compiled, JSON, cargo_below, run};
use crate::files::write_if_changed;
use crate::target;
use anyhow::{Context, Result, anyhow, bail};
use model::source::MANIFEST;
use model::{ProgramId, Project};
use std::collections::BTreeSet;
use std::fs;
use toml::{Table, Value};

/// The version of each of these programs' packages.
const VERSION: &str = "0.1.0";

/// Whether a program's comments say what its manifest has.
pub fn has_own(text: &str) -> bool {
    text.lines().any(|line| line.starts_with(MANIFEST))
}

/// Compiles a program, which is the only one in its package.
///
/// Fails if a comment is no line of a manifest, if it asks for a crate that the book's Cargo.lock doesn't have, or if cargo
/// cannot be started.
pub fn compile(project: &Project, name: &ProgramId, text: &str) -> Result<Compiled> {
    let folder = target(project)
        .join("own_manifests")
        .join(&name.part)
        .join(&name.name);
    write_if_changed(&folder.join("Cargo.toml"), &manifest(name, text)?)?;
    write_if_changed(&folder.join(name.compile_fail()), text)?;
    // The whole of it each time: cargo cuts it down to what this program asked for last time.
    let lock = project.read("Cargo.lock")?;
    let own_lock = folder.join("Cargo.lock");
    write_if_changed(&own_lock, &lock)?;
    let mut cargo = cargo_below(&folder, &target(project));
    let compiled = run(cargo.args(["build", JSON]))?;
    let used = fs::read_to_string(&own_lock).context("cannot read a lock file")?;
    let (book, used) = (Packages::parse(&lock)?, Packages::parse(&used)?);
    let its_own = (name.name.clone(), VERSION.to_owned());
    let unlocked = used.0.difference(&book.0).find(|it| **it != its_own);
    if let Some((package, version)) = unlocked {
        bail!(
            "{}: its manifest needs {package} {version}, which the book's Cargo.lock doesn't have",
            name.compile_fail()
        );
    }
    Ok(compiled)
}

/// The names and versions of the packages in a lock file.
struct Packages(BTreeSet<(String, String)>);

impl Packages {
    fn parse(lock: &str) -> Result<Self> {
        let lock: Table = lock.parse().context("a lock file is not TOML")?;
        let packages = lock.get("package").and_then(Value::as_array);
        let text = |package: &Value, key: &str| Some(package.get(key)?.as_str()?.to_owned());
        let packages = packages.into_iter().flatten();
        let packages = packages.filter_map(|it| Some((text(it, "name")?, text(it, "version")?)));
        Ok(Self(packages.collect()))
    }
}

/// The manifest that a program's comments ask for. `edition = "2015"` is one of the package; every other line is a
/// dependency.
fn manifest(name: &ProgramId, text: &str) -> Result<String> {
    let file = name.compile_fail();
    let mut dependencies = Table::new();
    for (at, line) in text.lines().enumerate() {
        let Some(line) = line.strip_prefix(MANIFEST) else {
            continue;
        };
        let line: Table = line.parse().map_err(|error| {
            anyhow!(
                "{file}:{}: this is no line of a Cargo.toml: {error}",
                at + 1
            )
        })?;
        dependencies.extend(line);
    }
    let edition = dependencies.remove("edition");
    let text = |text: &str| Value::from(text.to_owned());
    let package = [
        ("name", text(&name.name)),
        ("version", text(VERSION)),
        ("edition", edition.unwrap_or_else(|| text("2024"))),
        ("autobins", false.into()),
    ];
    let binary = [("name", text(&name.name)), ("path", text(&file))];
    let profile = [("debug", false.into()), ("incremental", false.into())];
    let table = |entries: &[(&str, Value)]| -> Value {
        let entries = entries.iter();
        let entries = entries.map(|(key, value)| ((*key).to_owned(), value.clone()));
        Table::from_iter(entries).into()
    };
    let manifest = table(&[
        ("package", table(&package)),
        ("bin", vec![table(&binary)].into()),
        ("dependencies", dependencies.into()),
        ("profile", table(&[("dev", table(&profile))])),
        ("workspace", table(&[("resolver", text("3"))])),
    ]);
    toml::to_string(&manifest).context("cannot write a manifest")
}
