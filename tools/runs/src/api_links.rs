//! Looks up the APIs that the pages name, in the versions that Cargo.lock holds.
//!
//! rustdoc does it, offline: a small crate names every API in one comment, under the `use` lines of [`SCOPE`], and rustdoc
//! resolves the names as in any comment. It's given the crates that the listings have been built with, so nothing is compiled
//! again ([`look_up`], seconds). Where a link leads in the end, if an item is defined in a private module, only the documentation of
//! that crate says; [`look_up_in_documentation`] makes that (minutes), and [`REDIRECTS`] keeps what it found.
//!
//! There's a preprocessor for mdBook that does the same, mdbook-rustdoc-links. It is a program to be installed, and the book is
//! verified with `cargo test` alone.

use crate::build::{Library, Mode, cargo_in, plain, run};
use crate::files::write_if_changed;
use crate::workspace::{EVERYTHING, Workspace};
use anyhow::{Context, Result, bail};
use model::address::resolve;
use model::api::{self, Map, Place, SCOPE};
use model::{Problem, Project, cancel_safety, uses};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where links lead that rustdoc makes to items in private modules, relative to the book's root.
pub const REDIRECTS: &str = "listings/api-redirects.toml";

/// What came of looking up.
#[derive(Debug)]
pub struct Found {
    /// Where the documentation of each API is.
    pub map: Map,
    /// The pages that send their readers on to another page, and those pages.
    pub redirects: BTreeMap<String, String>,
    /// Names that no crate has, with the pages that name them, and mistakes in [`SCOPE`].
    pub problems: Vec<Problem>,
    /// The names of all items (types, traits, functions, macros) in the crates that the listings
    /// depend on, without their paths, each with the crates that have it.
    pub items: BTreeMap<String, BTreeSet<String>>,
}

/// Looks up every API that a page names.
///
/// Fails if a crate that the listings depend on cannot be built, or rustdoc cannot be started.
pub fn look_up(project: &Project) -> Result<Found> {
    let redirects = match project.has(REDIRECTS) {
        true => read_redirects(&project.read(REDIRECTS)?)?,
        false => BTreeMap::new(),
    };
    Probe::write(project)?.found(project, |page| {
        Ok(redirects
            .get(page)
            .cloned()
            .unwrap_or_else(|| page.to_owned()))
    })
}

/// The same, following every link through the documentation of its crate, which is made for this.
///
/// # Errors
///
/// As [`look_up`]; or the documentation cannot be made.
pub fn look_up_in_documentation(project: &Project) -> Result<Found> {
    let probe = Probe::write(project)?;
    let folder = probe.document_dependencies()?;
    probe.found(project, |page| follow(&folder, page))
}

/// The text of [`REDIRECTS`].
pub fn redirects_text(redirects: &BTreeMap<String, String>) -> String {
    let mut text = format!(
        "# Pages of documentation that only send their readers on to another page. `{}` writes this file.\n\n",
        api::BLESS
    );
    for (from, to) in redirects {
        text.push_str(&format!("{from:?} = {to:?}\n"));
    }
    text
}

fn read_redirects(text: &str) -> Result<BTreeMap<String, String>> {
    toml::from_str(text).with_context(|| format!("{REDIRECTS} is not TOML"))
}

/// The crate that names the APIs.
struct Probe {
    workspace: Workspace,
    source: PathBuf,
    /// The line of its source with the first name, from 1; each name takes one line.
    first_line: usize,
    /// Every API with the places that name it, in the order of its lines.
    names: Vec<(String, Vec<(String, usize)>)>,
    /// The crates that the listings depend on, directly or not.
    libraries: Vec<Library>,
    /// The packages that the listings name as their dependencies, with their versions.
    direct: BTreeSet<(String, String)>,
}

impl Probe {
    fn write(project: &Project) -> Result<Self> {
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
        let scope = match project.has(SCOPE) {
            true => project.read(SCOPE)?,
            false => String::new(),
        };
        // On the first line, so that a mistake in the scope keeps its line.
        let mut text = format!("#![allow(unused_imports)] {}\n", scope.trim_end());
        let first_line = 1 + text.matches('\n').count();
        for (number, name) in places.keys().enumerate() {
            // An attribute is named without its brackets and arguments.
            let path = name
                .strip_prefix("#[")
                .and_then(|rest| rest.split([']', '(']).next())
                .unwrap_or(name);
            text.push_str(&format!("/// - {number}: [`{path}`]\n"));
        }
        text.push_str("pub struct Names;\n");
        let workspace = plain(project)?;
        let source = workspace.root().join(EVERYTHING).join("src/api_links.rs");
        write_if_changed(&source, &text)?;
        let mut cargo = cargo_in(&workspace, Mode::Run);
        let compiled = run(cargo.arg("--lib"))?;
        if !compiled.errors.is_empty() {
            bail!(
                "the listings' dependencies do not compile:\n{}",
                compiled.errors
            );
        }
        let lock = fs::read_to_string(workspace.root().join("Cargo.lock"))
            .context("cannot read the lock file of the listings' workspace")?;
        Ok(Self {
            direct: dependencies_of(EVERYTHING, &lock)?,
            workspace,
            source,
            first_line,
            names: places.into_iter().collect(),
            libraries: compiled.libraries,
        })
    }

    fn direct(&self) -> impl Iterator<Item = &Library> {
        self.libraries.iter().filter(|library| {
            let id = (library.package.clone(), library.version.clone());
            self.direct.contains(&id)
        })
    }

    /// Has rustdoc resolve the names; `follow` says where the page of a link leads in the end.
    fn found(&self, project: &Project, follow: impl Fn(&str) -> Result<String>) -> Result<Found> {
        let mut found = Found {
            map: Map::default(),
            redirects: BTreeMap::new(),
            problems: Vec::new(),
            items: self.items()?,
        };
        let folder = self.workspace.root().join("api-links");
        let (broken, mistakes) = self.run_rustdoc(project, &folder)?;
        if !mistakes.is_empty() {
            found.problems = mistakes;
            return Ok(found);
        }
        let links = links(&read(&folder, "api_links/struct.Names.html")?);
        for (number, (name, places)) in self.names.iter().enumerate() {
            let why = match (broken.get(&number), links.get(&number)) {
                (None, Some(link)) => match self.place(link, &follow, &mut found.redirects)? {
                    Ok(place) => {
                        found.map.0.insert(name.clone(), place);
                        continue;
                    }
                    Err(why) => why,
                },
                (Some(why), _) => why.clone(),
                (None, None) => "rustdoc does not link it".to_owned(),
            };
            found.problems.extend(places.iter().map(|(page, line)| {
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
        Ok(found)
    }

    /// Runs rustdoc on the names; returns those that it can't resolve, by number, with its words, and mistakes in the scope.
    fn run_rustdoc(
        &self,
        project: &Project,
        folder: &Path,
    ) -> Result<(BTreeMap<usize, String>, Vec<Problem>)> {
        let rustdoc = env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
        let mut command = Command::new(rustdoc);
        command
            .current_dir(project.root())
            .args([
                "--edition=2024",
                "--crate-type=lib",
                "--crate-name=api_links",
            ])
            .args(["--error-format=json", "--out-dir"])
            .arg(folder)
            .arg(&self.source)
            .stdin(Stdio::null());
        for library in &self.libraries {
            // rustdoc links a crate's documentation if it has a folder here.
            let documentation = folder.join(&library.name);
            fs::create_dir_all(&documentation)
                .with_context(|| format!("cannot make {}", documentation.display()))?;
        }
        let mut search = BTreeSet::new();
        for library in &self.libraries {
            search.extend(library.file.parent());
        }
        for path in search {
            command
                .arg("-L")
                .arg(format!("dependency={}", path.display()));
        }
        for library in self.direct() {
            let file = library.file.display();
            command.args(["--extern", &format!("{}={file}", library.name)]);
        }
        let output = command.output().context("cannot start rustdoc")?;
        let mut broken = BTreeMap::new();
        let mut mistakes = Vec::new();
        let said = String::from_utf8_lossy(&output.stderr);
        for line in said.lines() {
            let Ok(message) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let span = &message["spans"][0];
            let what = message["message"].as_str().unwrap_or_default();
            let Some(line) = span["line_start"]
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
            else {
                continue;
            };
            if line >= self.first_line {
                let why = span["label"].as_str().filter(|label| !label.is_empty());
                broken.insert(line - self.first_line, why.unwrap_or(what).to_owned());
            } else if message["level"] == "error" {
                mistakes.push(Problem::at(SCOPE, line, what));
            }
        }
        if !output.status.success() && mistakes.is_empty() {
            bail!("rustdoc failed while the APIs that the pages name were looked up:\n{said}");
        }
        Ok((broken, mistakes))
    }

    /// Where a link leads in the end.
    fn place(
        &self,
        link: &str,
        follow: impl Fn(&str) -> Result<String>,
        redirects: &mut BTreeMap<String, String>,
    ) -> Result<Result<Place, String>> {
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
        let (file, fragment) = match below.split_once('#') {
            Some((file, fragment)) => (file, format!("#{fragment}")),
            None => (below, String::new()),
        };
        let page = follow(file)?;
        if page != file {
            redirects.insert(file.to_owned(), page.clone());
        }
        let name = page.split('/').next().unwrap_or_default();
        Ok(
            match self.libraries.iter().find(|library| library.name == name) {
                Some(library) => Ok(Place {
                    package: library.package.clone(),
                    page: format!("{page}{fragment}"),
                }),
                None => Err(format!("it is an item of another crate, `{name}`")),
            },
        )
    }

    /// Makes the documentation of what the listings depend on; returns its folder.
    fn document_dependencies(&self) -> Result<PathBuf> {
        let direct: BTreeSet<_> = self.direct().map(|it| it.package.as_str()).collect();
        // `futures` shows what is in `futures-util`, `tokio` what is in `tokio-macros`.
        let is_shown = |name: &str| {
            direct.contains(name)
                || direct
                    .iter()
                    .any(|whole| name.starts_with(&format!("{whole}-")))
        };
        let mut cargo = Command::new(crate::cargo());
        cargo
            .current_dir(self.workspace.root())
            .args(["doc", "--no-deps", "--package", EVERYTHING])
            .env("CARGO_TARGET_DIR", self.workspace.root().join("target"))
            .env("CARGO_BUILD_BUILD_DIR", self.workspace.build_folder())
            .stdin(Stdio::null());
        // A second version, which a dependency uses, would be written to the same folder.
        let is_other = |it: &&Library| {
            !self
                .direct()
                .any(|own| own.name == it.name && own.version != it.version)
        };
        let shown = self.libraries.iter().filter(|it| is_shown(&it.package));
        for library in shown.filter(is_other) {
            let id = format!("{}@{}", library.package, library.version);
            cargo.args(["--package", &id]);
        }
        let output = cargo.output().context("cannot start cargo doc")?;
        if !output.status.success() {
            bail!(
                "`cargo doc` failed:\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(self.workspace.root().join("target/doc"))
    }

    /// The items that the sources of the listings' own dependencies make public, and those of their parts (`tokio-macros`).
    fn items(&self) -> Result<BTreeMap<String, BTreeSet<String>>> {
        let mut items: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let direct: Vec<_> = self.direct().collect();
        for library in &self.libraries {
            let whole = direct.iter().find(|it| {
                it.package == library.package
                    || library.package.starts_with(&format!("{}-", it.package))
            });
            let Some(whole) = whole else { continue };
            let mut folders = vec![library.folder.join("src")];
            while let Some(folder) = folders.pop() {
                let Ok(entries) = fs::read_dir(&folder) else {
                    continue;
                };
                for entry in entries {
                    let path = entry
                        .with_context(|| format!("cannot read {}", folder.display()))?
                        .path();
                    if path.is_dir() {
                        folders.push(path);
                    } else if path.extension().is_some_and(|ending| ending == "rs") {
                        let text = fs::read(&path)
                            .with_context(|| format!("cannot read {}", path.display()))?;
                        for name in public_items(&String::from_utf8_lossy(&text)) {
                            let crates = items.entry(name.to_owned()).or_default();
                            crates.insert(whole.package.clone());
                        }
                    }
                }
            }
        }
        Ok(items)
    }
}

/// The names that a source file makes public (or exports as macros), each by the word after its kind.
fn public_items(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let rest = line
            .strip_prefix("pub ")
            .or_else(|| line.strip_prefix("macro_rules! "))?;
        const KINDS: [&str; 9] = [
            "fn", "struct", "enum", "trait", "type", "const", "static", "async", "unsafe",
        ];
        let mut words = rest.split([' ', '(', '<', '{', ':', ';', '=']);
        words.find(|word| !word.is_empty() && !KINDS.contains(word))
    })
}

/// The packages that a package depends on, with their versions, by a lock file.
fn dependencies_of(package: &str, lock: &str) -> Result<BTreeSet<(String, String)>> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    #[derive(Deserialize)]
    struct Locked {
        name: String,
        version: String,
        #[serde(default)]
        dependencies: Vec<String>,
    }
    let Lock { package: all } = toml::from_str(lock).context("a lock file is not TOML")?;
    let own = all.iter().filter(|it| it.name == package);
    let mut dependencies = BTreeSet::new();
    for wanted in own.flat_map(|it| &it.dependencies) {
        // `hyper`, or `hyper 1.12.0` if there are several versions of it.
        let (name, version) = wanted.split_once(' ').unwrap_or((wanted, ""));
        let mut locked = all.iter();
        let locked = locked.find(|it| it.name == name && it.version.starts_with(version));
        let locked = locked.with_context(|| format!("the lock file has no {wanted}"))?;
        dependencies.insert((name.to_owned(), locked.version.clone()));
    }
    Ok(dependencies)
}

/// The links of the page that names the APIs, by number.
fn links(page: &str) -> BTreeMap<usize, String> {
    let items = page.split("<li>").skip(1);
    let links = items.filter_map(|item| {
        let (number, rest) = item.split_once(": <a href=\"")?;
        let link = rest.split('"').next()?;
        Some((number.parse().ok()?, link.to_owned()))
    });
    links.collect()
}

/// The page to which a page of the documentation sends its readers on, or that page itself.
fn follow(folder: &Path, file: &str) -> Result<String> {
    let page = read(folder, file)?;
    Ok(match redirect(&page) {
        Some(target) => resolve(file, target),
        None => file.to_owned(),
    })
}

fn read(folder: &Path, page: &str) -> Result<String> {
    let file = folder.join(page);
    fs::read_to_string(&file)
        .with_context(|| format!("{}: rustdoc was to write this page", file.display()))
}

/// Where a page sends its readers on to, if it does.
fn redirect(page: &str) -> Option<&str> {
    page.split_once("http-equiv=\"refresh\" content=\"0;URL=")?
        .1
        .split('"')
        .next()
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
