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
use toml_edit::{DocumentMut, Item, Table};

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
            let mut manifest = package(name, &manifest::dependencies(project, name)?);
            if self.flavor == Flavor::Recorded {
                let used = self.used_dependencies(project, name)?;
                manifest = package(name, &used);
                let recorder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../timeline/recorder");
                let _ = writeln!(
                    manifest,
                    "recorder = {{ path = {:?} }}",
                    recorder.to_string_lossy()
                );
            }
            if self.flavor == Flavor::Plain {
                manifest.push_str(&dev_dependencies(project, name)?.to_string());
                manifest.push_str(&lints(project, name)?);
            }
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
        let manifest = format!(
            "[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n{}",
            settings(project)?
        );
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

    /// The dependencies of a part that its recorded listings name: those that only the others name need not be built
    /// once more with Tokio's reports.
    fn used_dependencies(&self, project: &Project, part: &str) -> Result<String> {
        let mut texts = String::new();
        for name in &self.parts[part].grouped {
            let file = format!("listings/{part}/src/bin/{name}.rs");
            texts.push_str(&project.read(&file)?);
        }
        let mut table = dependencies(project, part)?;
        let names: Vec<_> = table.iter().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            if !texts.contains(&name.replace('-', "_")) {
                table.remove(&name);
            }
        }
        Ok(document("dependencies", table))
    }
}

/// A part's dependencies, as its page shows them.
fn dependencies(project: &Project, part: &str) -> Result<Table> {
    let text: DocumentMut = manifest::dependencies(project, part)?
        .parse()
        .context("a manifest that pages show is not TOML")?;
    table(&text, "dependencies")
}

/// A part's `[dev-dependencies]`, which inherit from the workspace.
fn dev_dependencies(project: &Project, part: &str) -> Result<DocumentMut> {
    let file = manifest::file(part);
    let manifest: DocumentMut = project
        .read(&file)?
        .parse()
        .with_context(|| format!("{file} is not a manifest"))?;
    let table = table(&manifest, "dev-dependencies")?;
    let mut text = DocumentMut::new();
    if !table.is_empty() {
        text.insert("dev-dependencies", Item::Table(table));
    }
    Ok(text)
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
        for (name, item) in dependencies(project, &part)?.iter() {
            all.insert(name, item.clone());
        }
        for (name, item) in table(&dev_dependencies(project, &part)?, "dev-dependencies")?.iter() {
            if !all.contains_key(name) {
                all.insert(name, item.clone());
            }
        }
    }
    Ok(document("dependencies", all))
}

/// A table of a document without its comments; empty if there is none.
fn table(document: &DocumentMut, name: &str) -> Result<Table> {
    let Some(table) = document.get(name) else {
        return Ok(Table::new());
    };
    let table = table
        .as_table()
        .with_context(|| format!("[{name}] is not a table"))?;
    let mut plain = Table::new();
    for (key, item) in table.iter() {
        let mut item = item.clone();
        // `name.workspace = true` is a table of its own there.
        if let Some(inline) = item.as_table().cloned() {
            item = toml_edit::value(inline.into_inline_table());
        }
        plain.insert(key, item);
    }
    Ok(plain)
}

fn document(name: &str, table: Table) -> String {
    let mut text = DocumentMut::new();
    text.insert(name, Item::Table(table));
    text.to_string()
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

/// The versions of the book's workspace and its profile: with others, what is built of the dependencies could not be shared.
/// Without incremental state, which takes gigabytes for programs that are compiled once.
fn settings(project: &Project) -> Result<String> {
    let mut manifest: DocumentMut = project
        .read("Cargo.toml")?
        .parse()
        .context("Cargo.toml is not a manifest")?;
    let mut text = String::new();
    let mut workspace = Table::new();
    workspace.set_implicit(true);
    for table in ["dependencies", "lints"] {
        let shared = manifest
            .get_mut("workspace")
            .and_then(|it| it.get_mut(table));
        if let Some(shared) = shared.map(std::mem::take) {
            workspace.insert(table, shared);
        }
    }
    let mut document = DocumentMut::new();
    document.insert("workspace", Item::Table(workspace));
    if let Some(dependencies) = document["workspace"].get_mut("dependencies") {
        absolute_paths(dependencies, project.root());
    }
    if let Some(mut patch) = manifest.remove("patch") {
        for (_, registry) in patch
            .as_table_like_mut()
            .into_iter()
            .flat_map(|it| it.iter_mut())
        {
            absolute_paths(registry, project.root());
        }
        document.insert("patch", patch);
    }
    text.push_str(&document.to_string());
    text.push_str("\n[profile.dev]\nincremental = false\n");
    let profile = manifest.get("profile").and_then(|it| it.get("dev"));
    for (key, value) in profile.and_then(Item::as_table).into_iter().flatten() {
        if key != "package" && key != "incremental" {
            let _ = writeln!(text, "{key} = {}", value.to_string().trim());
        }
    }
    Ok(text)
}

/// Makes the paths in a table of dependencies absolute.
fn absolute_paths(dependencies: &mut Item, root: &Path) {
    let table = dependencies.as_table_like_mut();
    for (_, source) in table.into_iter().flat_map(|it| it.iter_mut()) {
        if let Some(path) = source.get("path").and_then(Item::as_str) {
            let absolute = root.join(path).to_string_lossy().into_owned();
            source["path"] = toml_edit::value(absolute);
        }
    }
}

/// What replaces the standard library's macros in recorded listings: they come before the modules in the text, so they
/// win inside them.
const RECORDING_MACROS: &str = include_str!("workspace/recording_macros.txt");
