//! Looks up the APIs that the pages name, in the documentation of the versions that Cargo.lock holds.
//!
//! rustdoc does it, offline: a small crate is made that depends on what the listings depend on and names
//! every API in one comment, under the `use` lines of [`SCOPE`]. rustdoc resolves the names as in any
//! comment, and its page links each to the documentation of its crate, which is made as well.
//!
//! There is a preprocessor for mdBook that does the same, mdbook-rustdoc-links. It is a program to be
//! installed, and the book is verified with `cargo test` alone.

use crate::cargo;
use crate::files::{lock_as_the_book, write_if_changed};
use anyhow::{Context, Result, bail};
use model::address::resolve;
use model::api::{self, Map, Place, SCOPE};
use model::{Problem, Project, cancel_safety, manifest, uses};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What came of looking up.
#[derive(Debug)]
pub struct Found {
    /// Where the documentation of each API is.
    pub map: Map,
    /// Names that no crate has, with the pages that name them, and mistakes in [`SCOPE`].
    pub problems: Vec<Problem>,
    /// The names of all items (types, traits, functions, macros) in the crates that the listings
    /// depend on, without their paths, each with the crates that have it.
    pub items: BTreeMap<String, BTreeSet<String>>,
}

/// Looks up every API that a page names.
///
/// # Errors
///
/// The documentation cannot be made: cargo cannot be started, a crate is not downloaded yet, or the disk
/// is full.
pub fn look_up(project: &Project) -> Result<Found> {
    look_up_in(project, &crate::target(project).join(PROBE))
}

/// The same, working in a folder. What lies there from before is used again.
///
/// # Errors
///
/// As [`look_up`].
pub fn look_up_in(project: &Project, folder: &Path) -> Result<Found> {
    let mut places: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
    for page in uses::pages_below(project, "src") {
        // A page that cannot be read is reported where it is built.
        let text = project.read(&page).unwrap_or_default();
        for api in api::named(&text) {
            let place = (page.clone(), api.line);
            places.entry(api.name).or_default().push(place);
        }
    }
    // A table that cannot be read is reported on the page that shows it.
    for api in cancel_safety::named(project).unwrap_or_default() {
        let place = (cancel_safety::DATA.to_owned(), api.line);
        places.entry(api.name).or_default().push(place);
    }
    let names: Vec<&String> = places.keys().collect();
    let probe = Probe::write(project, folder.to_owned(), &names)?;
    let packages = probe.document_dependencies()?;
    let broken = match probe.document_names()? {
        Ok(broken) => broken,
        Err(problems) => {
            return Ok(Found {
                map: Map::default(),
                problems,
                items: probe.items(&packages)?,
            });
        }
    };
    let mut map = Map::default();
    let mut problems = Vec::new();
    let links = probe.links()?;
    for (number, name) in names.into_iter().enumerate() {
        let why = match (broken.get(&number), links.get(&number)) {
            (None, Some(link)) => match probe.follow(link, &packages)? {
                Ok(place) => {
                    map.0.insert(name.clone(), place);
                    continue;
                }
                Err(why) => why,
            },
            (Some(why), _) => why.clone(),
            (None, None) => "rustdoc does not link it".to_owned(),
        };
        problems.extend(places[name].iter().map(|(page, line)| {
            Problem::at(
                page,
                *line,
                format!(
                    "`{name}` is no API that the documentation of the book's crates has: {why}. A name is \
                     understood under the `use` lines of {SCOPE}, and with the features of listings/*/Cargo.toml"
                ),
            )
        }));
    }
    Ok(Found {
        map,
        problems,
        items: probe.items(&packages)?,
    })
}

/// A package whose documentation is made.
struct Package {
    name: String,
    /// The folder of its documentation, and so the name of its library.
    library: String,
    /// Whether a listing depends on it itself.
    is_direct: bool,
}

/// The crate that names the APIs.
struct Probe {
    folder: PathBuf,
    /// The line of its source with the first name, from 1; each name takes one line.
    first_line: usize,
}

const PROBE: &str = "api-links";

impl Probe {
    fn write(project: &Project, folder: PathBuf, names: &[&String]) -> Result<Self> {
        let dependencies = manifest::all_dependencies(project)?;
        let manifest = format!(
            "[package]\nname = \"{PROBE}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n{dependencies}\n[workspace]\n"
        );
        let scope = if project.has(SCOPE) {
            project.read(SCOPE)?
        } else {
            String::new()
        };
        // On the first line, so that a mistake in the scope keeps its line.
        let mut source = format!("#![allow(unused_imports)] {}\n", scope.trim_end());
        let first_line = 1 + source.matches('\n').count();
        for (number, name) in names.iter().enumerate() {
            // An attribute is named without its brackets and arguments.
            let path = name
                .strip_prefix("#[")
                .and_then(|rest| rest.split([']', '(']).next())
                .unwrap_or(name);
            source.push_str(&format!("/// - {number}: [`{path}`]\n"));
        }
        source.push_str("pub struct Names;\n");
        write_if_changed(&folder.join("Cargo.toml"), &manifest)?;
        write_if_changed(&folder.join("src/lib.rs"), &source)?;
        lock_as_the_book(project, &folder)?;
        Ok(Self { folder, first_line })
    }

    /// Makes the documentation of what the listings depend on, and returns whose that is.
    fn document_dependencies(&self) -> Result<Vec<Package>> {
        let output = self.cargo(&["metadata", "--format-version=1", "--offline"])?;
        demand_success(&output, "cargo metadata")?;
        let metadata: Value =
            serde_json::from_slice(&output.stdout).context("cargo metadata prints no JSON")?;
        let all = metadata["packages"].as_array().into_iter().flatten();
        let own = |package: &&Value| package["name"] == PROBE;
        let direct: BTreeSet<&str> = all
            .clone()
            .filter(own)
            .flat_map(|package| package["dependencies"].as_array().into_iter().flatten())
            .filter_map(|dependency| dependency["name"].as_str())
            .collect();
        let built = self.built_packages()?;
        let mut packages = Vec::new();
        for package in all.filter(|package| !own(package)) {
            let (Some(name), Some(library)) = (package["name"].as_str(), library(package)) else {
                continue;
            };
            if !built.contains(name) {
                continue;
            }
            // `futures` shows what is in `futures-util`, `tokio` what is in `tokio-macros`.
            let is_facet = |whole: &&str| name.starts_with(&format!("{whole}-"));
            let is_direct = direct.contains(name);
            if is_direct || direct.iter().any(is_facet) {
                packages.push(Package {
                    name: name.to_owned(),
                    library,
                    is_direct,
                });
            }
        }
        let mut arguments = vec!["doc", "--offline", "--no-deps", "--quiet"];
        for package in &packages {
            arguments.extend(["--package", &package.name]);
        }
        if !packages.is_empty() {
            demand_success(&self.cargo(&arguments)?, "cargo doc")?;
        }
        Ok(packages)
    }

    /// The packages that are built. `cargo metadata` also names those that a feature which is switched off
    /// would need (`sqlx-macros` for `sqlx`), and `cargo doc` panics at them.
    fn built_packages(&self) -> Result<BTreeSet<String>> {
        let output = self.cargo(&["tree", "--offline", "--prefix=none", "--format={p}"])?;
        demand_success(&output, "cargo tree")?;
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let names = lines.lines().filter_map(|line| line.split(' ').next());
        Ok(names.map(str::to_owned).collect())
    }

    /// Has rustdoc resolve the names; returns those that it cannot, by number, with its words.
    fn document_names(&self) -> Result<Result<BTreeMap<usize, String>, Vec<Problem>>> {
        let output = self.cargo(&[
            "doc",
            "--offline",
            "--no-deps",
            "--quiet",
            "--package",
            PROBE,
            "--message-format=json",
        ])?;
        let mut broken = BTreeMap::new();
        let mut problems = Vec::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Ok(told) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let message = &told["message"];
            let span = &message["spans"][0];
            let Some(line) = span["line_start"].as_u64().and_then(|n| n.try_into().ok()) else {
                continue;
            };
            let line: usize = line;
            let what = message["message"].as_str().unwrap_or_default();
            if line >= self.first_line {
                let why = span["label"].as_str().filter(|label| !label.is_empty());
                broken.insert(line - self.first_line, why.unwrap_or(what).to_owned());
            } else if message["level"] == "error" {
                problems.push(Problem::at(SCOPE, line, what));
            }
        }
        if !problems.is_empty() {
            return Ok(Err(problems));
        }
        demand_success(&output, "cargo doc")?;
        Ok(Ok(broken))
    }

    /// The links of the page that names the APIs, by number.
    fn links(&self) -> Result<BTreeMap<usize, String>> {
        let page = self.read("api_links/struct.Names.html")?;
        let mut links = BTreeMap::new();
        for item in page.split("<li>").skip(1) {
            let Some((number, rest)) = item.split_once(": <a href=\"") else {
                continue;
            };
            let link = rest.split('"').next().unwrap_or_default();
            if let Ok(number) = number.parse() {
                links.insert(number, link.to_owned());
            }
        }
        Ok(links)
    }

    /// Where a link of that page leads in the end.
    fn follow(&self, link: &str, packages: &[Package]) -> Result<Result<Place, String>> {
        if let Some(rest) = link.strip_prefix("https://doc.rust-lang.org/") {
            let page = rest.split_once('/').map_or(rest, |(_version, page)| page);
            return Ok(Ok(Place {
                package: api::STD.to_owned(),
                page: page.to_owned(),
            }));
        }
        let Some(below) = link.strip_prefix("../") else {
            return Ok(Err(format!("its documentation would be at {link}")));
        };
        let (file, fragment) = below.split_once('#').unwrap_or((below, ""));
        let mut file = file.to_owned();
        let mut page = self.read(&file)?;
        // An item that is defined in a private module is shown where it is made public.
        if let Some(target) = redirect(&page) {
            file = resolve(&file, target);
            page = self.read(&file)?;
        }
        let library = file.split('/').next().unwrap_or_default();
        let Some(package) = packages.iter().find(|package| package.library == library) else {
            return Ok(Err(format!("it is an item of another crate, `{library}`")));
        };
        if !fragment.is_empty() && !page.contains(&format!("id=\"{fragment}\"")) {
            return Ok(Err(format!("{file} has no #{fragment}")));
        }
        let page = match fragment {
            "" => file,
            fragment => format!("{file}#{fragment}"),
        };
        Ok(Ok(Place {
            package: package.name.clone(),
            page,
        }))
    }

    /// All items of the crates that the listings depend on themselves.
    fn items(&self, packages: &[Package]) -> Result<BTreeMap<String, BTreeSet<String>>> {
        let mut items: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for package in packages.iter().filter(|package| package.is_direct) {
            let list = self.read(&format!("{}/all.html", package.library))?;
            for item in list.split("<li><a href=\"").skip(1) {
                let Some((_, rest)) = item.split_once("\">") else {
                    continue;
                };
                let path = rest.split('<').next().unwrap_or_default();
                let name = path.rsplit("::").next().unwrap_or_default();
                let crates = items.entry(name.to_owned()).or_default();
                crates.insert(package.name.clone());
            }
        }
        Ok(items)
    }

    fn read(&self, page: &str) -> Result<String> {
        let file = self.folder.join("target/doc").join(page);
        fs::read_to_string(&file).with_context(|| {
            format!(
                "{}: rustdoc was to write this page; remove the folder {} and try again",
                file.display(),
                self.folder.display()
            )
        })
    }

    fn cargo(&self, arguments: &[&str]) -> Result<Output> {
        Command::new(cargo())
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .stdin(Stdio::null())
            .output()
            .context("cannot start cargo to look up the APIs that the pages name")
    }
}

/// The name of a package's library, where it has one.
fn library(package: &Value) -> Option<String> {
    let targets = package["targets"].as_array()?;
    let is_library = |target: &&Value| {
        let kinds = target["kind"].as_array().into_iter().flatten();
        kinds
            .filter_map(Value::as_str)
            .any(|kind| matches!(kind, "lib" | "proc-macro" | "rlib"))
    };
    let name = targets.iter().find(is_library)?["name"].as_str()?;
    Some(name.replace('-', "_"))
}

/// Where a page sends its readers on to, if it does.
fn redirect(page: &str) -> Option<&str> {
    page.split_once("http-equiv=\"refresh\" content=\"0;URL=")?
        .1
        .split('"')
        .next()
}

fn demand_success(output: &Output, what: &str) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    bail!(
        "`{what}` failed while the APIs that the pages name were looked up:\n{}",
        String::from_utf8_lossy(&output.stderr)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_sends_on_is_followed() {
        let page = "<meta http-equiv=\"refresh\" content=\"0;URL=../../../tokio/task/struct.JoinSet.html\">";
        let target = redirect(page).expect("a redirect");
        assert_eq!(
            resolve("tokio/task/join_set/struct.JoinSet.html", target),
            "tokio/task/struct.JoinSet.html"
        );
        assert_eq!(redirect("<title>JoinSet</title>"), None);
    }
}
