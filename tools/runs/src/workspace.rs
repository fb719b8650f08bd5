//! The workspace in which the listings are built for their checks, below the target folder.
//!
//! It has a package for each part, with exactly the dependencies that the part's page shows, and the part's listings as
//! modules of one program: 517 small programs take minutes to link, a dozen large ones seconds. Each module is the listing's
//! own text and nothing is changed in it; what makes its `main` callable is appended. The paths are those of the book
//! (`listings/tasks/src/bin/join_set.rs`), so that a panic or an error of the compiler names the file that a reader knows.
//!
//! Third-party crates are built into the book's own build directory, where every workspace finds the same ones.

use crate::files::{lock_as_the_book, write_if_changed};
use crate::target;
use anyhow::{Context, Result};
use model::{ProgramId, Project, manifest};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// A package whose library depends on everything that any part depends on. It is selected in every build, so that each
/// dependency has the same features, and is built once, whichever parts are asked for.
pub const EVERYTHING: &str = "everything";

/// What ends the name of the package of a part's programs that must not compile.
pub const REFUSED: &str = "-compile-fail";

/// What ends the name of the program that has only some of a part's listings.
const SOME: &str = "_some";

/// A listing with one of these words runs from an executable of its own: it's a crate with paths from its root, it starts itself
/// again, or what it prints has its module's path in it.
const OWN_EXECUTABLE: &[&str] = &[
    "crate::",
    "current_exe",
    "env::args",
    "module_path!",
    "tracing",
    "type_name",
];

/// How the listings' texts become modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// As they are.
    Plain,
    /// With marks in them, and the recorder around them (see [`crate::timelines`]).
    Recorded,
}

/// The workspace on disk. No other process writes to it while this value lives.
#[derive(Debug)]
pub struct Workspace {
    flavor: Flavor,
    root: PathBuf,
    build_folder: PathBuf,
    parts: BTreeMap<String, Part>,
    _lock: File,
}

#[derive(Debug, Default)]
struct Part {
    /// Its listings that are modules of one program.
    grouped: BTreeSet<String>,
    /// Its listings that have an executable of their own.
    alone: BTreeSet<String>,
}

/// The name of the module with a listing: with a letter in upper case, unlike any crate, and found in the names of tests without
/// doubt.
pub(crate) fn module(listing: &str) -> String {
    format!("L_{listing}")
}

impl Workspace {
    /// Writes the workspace; what is the same as before stays untouched.
    ///
    /// `text_of` gives the module's text for a listing's, or `None` to leave the listing out.
    ///
    /// Fails if a file cannot be read or written.
    pub fn write(
        project: &Project,
        flavor: Flavor,
        mut text_of: impl FnMut(&ProgramId, &str) -> Result<Option<String>>,
    ) -> Result<Self> {
        let target = target(project);
        let (root, build_folder) = match flavor {
            Flavor::Plain => (target.join("programs"), target),
            Flavor::Recorded => (target.join("timelines"), target.join("timelines/target")),
        };
        fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
        // Two processes may want it at the same time: `cargo test` and `cargo book bless`, for example.
        let lock = File::create(root.join("lock")).context("cannot make a lock file")?;
        lock.lock().context("cannot lock the listings' workspace")?;
        let mut parts = BTreeMap::new();
        let mut members = Vec::new();
        for name in project.parts()? {
            parts.insert(name.clone(), Part::default());
            members.push(format!("listings/{name}"));
        }
        for listing in project.listings()? {
            let text = project.read(&listing.source())?;
            let Some(module) = text_of(&listing, &text)? else {
                continue;
            };
            let part: &mut Part = parts.entry(listing.part.clone()).or_default();
            let is_alone =
                flavor == Flavor::Plain && OWN_EXECUTABLE.iter().any(|word| text.contains(word));
            let copy = if is_alone { &text } else { &module };
            write_if_changed(&root.join(listing.source()), copy)?;
            match is_alone {
                true => part.alone.insert(listing.name),
                false => part.grouped.insert(listing.name),
            };
        }
        let workspace = Self {
            flavor,
            root,
            build_folder,
            parts,
            _lock: lock,
        };
        workspace.remove_old_listings()?;
        workspace.write_packages(project, members)?;
        Ok(workspace)
    }

    /// How its listings became modules.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Its root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder into which crates are compiled.
    pub fn build_folder(&self) -> &Path {
        &self.build_folder
    }

    /// Whether a listing has an executable of its own.
    pub fn is_alone(&self, name: &ProgramId) -> bool {
        let part = self.parts.get(&name.part);
        part.is_some_and(|part| part.alone.contains(&name.name))
    }

    /// How many listings of a part share an executable.
    pub fn group_size(&self, part: &str) -> usize {
        self.parts.get(part).map_or(0, |part| part.grouped.len())
    }

    /// The words before the name of each test of a listing in its part's test executable.
    pub fn test_prefix(&self, name: &ProgramId) -> String {
        match self.is_alone(name) {
            true => String::new(),
            false => format!("{}::", module(&name.name)),
        }
    }

    /// Writes a program with only these listings of a part; returns the name of its binary.
    ///
    /// Fails if it cannot be written.
    pub fn write_some(&self, part: &str, names: &BTreeSet<String>) -> Result<String> {
        let file = self.source_folder(part).join("some.rs");
        write_if_changed(&file, &self.program(names))?;
        Ok(format!("{part}{SOME}"))
    }

    fn source_folder(&self, part: &str) -> PathBuf {
        self.root.join("listings").join(part).join("src")
    }

    fn remove_old_listings(&self) -> Result<()> {
        for (name, part) in &self.parts {
            let folder = self.source_folder(name).join("bin");
            if !folder.is_dir() {
                continue;
            }
            for file in files_in(&folder)? {
                let name = file.trim_end_matches(".rs");
                if !part.grouped.contains(name) && !part.alone.contains(name) {
                    fs::remove_file(folder.join(&file))
                        .with_context(|| format!("cannot remove {file}"))?;
                }
            }
        }
        Ok(())
    }

    /// The source of a program with these listings, which runs the one that its first argument names.
    fn program(&self, names: &BTreeSet<String>) -> String {
        let mut text = String::from(
            "//! Listings of the book in one executable. Written by `cargo test` and `cargo book`.\n\
             // Clippy looks at them; a build that only runs them stays quiet.\n\
             #![cfg_attr(not(clippy), allow(warnings))]\n\
             #![allow(dead_code, non_snake_case, clippy::items_after_test_module, clippy::match_single_binding)]\n\n",
        );
        if self.flavor == Flavor::Recorded {
            text.push_str(RECORDING_MACROS);
        }
        for name in names {
            let module = module(name);
            let _ = writeln!(text, "#[path = \"bin/{name}.rs\"]\nmod {module};");
        }
        text.push_str(
            "\nfn main() -> ::std::process::ExitCode {\n    let name = ::std::env::args().nth(1).unwrap_or_default();\n    \
             match name.as_str() {\n",
        );
        for name in names {
            let module = module(name);
            let _ = match self.flavor {
                Flavor::Plain => writeln!(
                    text,
                    "        {name:?} => ::std::process::Termination::report({module}::run_main()),"
                ),
                Flavor::Recorded => writeln!(
                    text,
                    "        {name:?} => ::recorder::run(\"src/bin/{name}.rs\", {module}::run_main),"
                ),
            };
        }
        text.push_str("        _ => ::std::process::ExitCode::from(2),\n    }\n}\n");
        text
    }

    fn write_packages(&self, project: &Project, mut members: Vec<String>) -> Result<()> {
        for (name, part) in &self.parts {
            let folder = self.root.join("listings").join(name);
            let mut manifest = match self.flavor {
                Flavor::Plain => {
                    let shown = manifest::dependencies(project, name)?;
                    let dev = document("dev-dependencies", dev_dependencies(project, name)?)?;
                    package(name, &shown) + "\n" + &dev + &lints(project, name)?
                }
                Flavor::Recorded => package(name, &self.used_dependencies(project, name)?),
            };
            let mut binary = |name: &str, path: &str| {
                let _ = write!(manifest, "\n[[bin]]\nname = {name:?}\npath = {path:?}\n");
            };
            binary(name, "src/all.rs");
            binary(&format!("{name}{SOME}"), "src/some.rs");
            for alone in &part.alone {
                binary(alone, &format!("src/bin/{alone}.rs"));
            }
            if self.flavor == Flavor::Plain {
                self.copy_tests(project, name, &mut manifest)?;
            }
            write_if_changed(&folder.join("Cargo.toml"), &manifest)?;
            write_if_changed(&folder.join("src/all.rs"), &self.program(&part.grouped))?;
            if !folder.join("src/some.rs").exists() {
                self.write_some(name, &BTreeSet::new())?;
            }
        }
        if self.flavor == Flavor::Plain {
            self.write_refused(project, &mut members)?;
            members.push(EVERYTHING.to_owned());
            let folder = self.root.join(EVERYTHING);
            let manifest = package(EVERYTHING, &everything(project)?);
            write_if_changed(&folder.join("Cargo.toml"), &manifest)?;
            write_if_changed(&folder.join("src/lib.rs"), "")?;
        }
        let manifest = workspace_manifest(project, members)?;
        write_if_changed(&self.root.join("Cargo.toml"), &manifest)?;
        lock_as_the_book(project, &self.root)
    }

    /// A part's tests that belong to no listing: `listings/<part>/tests/`, with the data files beside the manifest that
    /// they read.
    fn copy_tests(&self, project: &Project, part: &str, manifest: &mut String) -> Result<()> {
        let own = project.root().join("listings").join(part);
        let copy = self.root.join("listings").join(part);
        for suite in test_suites(project, part)? {
            let folder = own.join("tests").join(&suite);
            for file in files_in(&folder)? {
                let text = fs::read_to_string(folder.join(&file))
                    .with_context(|| format!("cannot read {suite}/{file}"))?;
                write_if_changed(&copy.join("tests").join(&suite).join(&file), &text)?;
            }
            let _ = write!(
                manifest,
                "\n[[test]]\nname = {suite:?}\npath = \"tests/{suite}/main.rs\"\n"
            );
        }
        for file in files_in(&own)? {
            if file.ends_with(".toml") && file != "Cargo.toml" {
                let text = project.read(&format!("listings/{part}/{file}"))?;
                write_if_changed(&copy.join(file), &text)?;
            }
        }
        Ok(())
    }

    /// The programs that must not compile, as binaries of a package for each part.
    fn write_refused(&self, project: &Project, members: &mut Vec<String>) -> Result<()> {
        let mut parts: BTreeMap<String, Vec<ProgramId>> = BTreeMap::new();
        for name in project.compile_fail_programs()? {
            parts.entry(name.part.clone()).or_default().push(name);
        }
        for (part, names) in parts {
            let folder = format!("listings/{part}/compile_fail");
            let package_name = format!("{part}{REFUSED}");
            let mut text = package(&package_name, &manifest::dependencies(project, &part)?);
            for name in names {
                let _ = write!(
                    text,
                    "\n[[bin]]\nname = {0:?}\npath = \"{0}.rs\"\ntest = false\n",
                    name.name
                );
                let program = project.read(&name.compile_fail())?;
                write_if_changed(&self.root.join(name.compile_fail()), &program)?;
            }
            write_if_changed(&self.root.join(&folder).join("Cargo.toml"), &text)?;
            members.push(folder);
        }
        Ok(())
    }

    /// The recorder, and the dependencies of a part that its recorded listings name: those that only the others name need
    /// not be built once more with Tokio's reports.
    fn used_dependencies(&self, project: &Project, part: &str) -> Result<String> {
        let mut texts = String::new();
        for name in &self.parts[part].grouped {
            let file = format!("listings/{part}/src/bin/{name}.rs");
            texts.push_str(&project.read(&file)?);
        }
        let mut used = dependencies(project, part)?;
        used.retain(|name, _| texts.contains(&name.replace('-', "_")));
        let recorder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../timeline/recorder");
        let recorder = Value::from(recorder.to_string_lossy().into_owned());
        let recorder = Table::from_iter([("path".to_owned(), recorder)]);
        used.insert("recorder".to_owned(), recorder.into());
        document("dependencies", used)
    }
}

/// A part's dependencies, as its page shows them.
fn dependencies(project: &Project, part: &str) -> Result<Table> {
    let shown = manifest::dependencies(project, part)?.parse();
    let mut shown = shown.context("a manifest that pages show is not TOML")?;
    Ok(take(&mut shown, "dependencies"))
}

/// A part's `[dev-dependencies]`, which inherit from the workspace.
fn dev_dependencies(project: &Project, part: &str) -> Result<Table> {
    let file = manifest::file(part);
    let manifest = project.read(&file)?.parse();
    let mut manifest = manifest.with_context(|| format!("{file} is not a manifest"))?;
    Ok(take(&mut manifest, "dev-dependencies"))
}

/// A part's `[lints]`, which inherit from the workspace; empty if it has none.
fn lints(project: &Project, part: &str) -> Result<String> {
    let manifest = project.read(&manifest::file(part))?;
    Ok(match manifest.contains("[lints]") {
        true => "\n[lints]\nworkspace = true\n".to_owned(),
        false => String::new(),
    })
}

/// What any part depends on, its tests included.
fn everything(project: &Project) -> Result<String> {
    let mut all = Table::new();
    for part in project.parts()? {
        all.extend(dependencies(project, &part)?);
        for (name, item) in dev_dependencies(project, &part)? {
            all.entry(name).or_insert(item);
        }
    }
    document("dependencies", all)
}

/// A table of a document, which loses it; empty if there is none.
fn take(document: &mut Table, name: &str) -> Table {
    match document.remove(name) {
        Some(Value::Table(table)) => table,
        _ => Table::new(),
    }
}

fn document(name: &str, table: Table) -> Result<String> {
    let document = Table::from_iter([(name.to_owned(), table.into())]);
    toml::to_string(&document).context("cannot write a manifest")
}

/// Names of the folders with a part's tests that belong to no listing.
///
/// Fails if a folder cannot be read.
pub fn test_suites(project: &Project, part: &str) -> Result<Vec<String>> {
    let folder = project.root().join("listings").join(part).join("tests");
    match folder.is_dir() {
        true => names_in(&folder, |path| path.join("main.rs").is_file()),
        false => Ok(Vec::new()),
    }
}

/// The names of the files in a folder, sorted.
///
/// Fails if the folder cannot be read.
pub fn files_in(folder: &Path) -> Result<Vec<String>> {
    names_in(folder, Path::is_file)
}

fn names_in(folder: &Path, is_wanted: impl Fn(&Path) -> bool) -> Result<Vec<String>> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        if is_wanted(&entry.path()) {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn package(name: &str, dependencies: &str) -> String {
    format!(
        "[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\nautobins = false\nautotests = false\n\n{dependencies}"
    )
}

/// The workspace's manifest, with the versions of the book's workspace and its profile: with others, what is built of the
/// dependencies could not be shared. Without incremental state, which takes gigabytes for programs that are compiled once.
fn workspace_manifest(project: &Project, members: Vec<String>) -> Result<String> {
    let manifest = project.read("Cargo.toml")?.parse();
    let mut manifest: Table = manifest.context("Cargo.toml is not a manifest")?;
    let mut workspace = take(&mut manifest, "workspace");
    workspace.retain(|name, _| ["dependencies", "lints", "resolver"].contains(&name));
    workspace.insert("members".to_owned(), members.into());
    let mut patch = take(&mut manifest, "patch");
    for sources in workspace
        .get_mut("dependencies")
        .into_iter()
        .chain(patch.iter_mut().map(|(_, it)| it))
    {
        absolute_paths(sources, project.root());
    }
    let mut dev = take(&mut take(&mut manifest, "profile"), "dev");
    dev.remove("package");
    dev.insert("incremental".to_owned(), false.into());
    let profile = Table::from_iter([("dev".to_owned(), dev.into())]);
    let tables = [
        ("workspace", workspace),
        ("patch", patch),
        ("profile", profile),
    ];
    let tables = tables.map(|(name, table)| (name.to_owned(), table.into()));
    toml::to_string(&Table::from_iter(tables)).context("cannot write a manifest")
}

/// Makes the paths in a table of dependencies absolute.
fn absolute_paths(dependencies: &mut Value, root: &Path) {
    let table = dependencies.as_table_mut();
    for (_, source) in table.into_iter().flat_map(|it| it.iter_mut()) {
        if let Some(path) = source.get("path").and_then(Value::as_str) {
            source["path"] = root.join(path).to_string_lossy().into_owned().into();
        }
    }
}

/// What replaces the standard library's macros in recorded listings: they come before the modules in the text, so they
/// win inside them.
const RECORDING_MACROS: &str = include_str!("workspace/recording_macros.txt");
