//! Builds listings with cargo.

use crate::cargo;
use crate::workspace::{EVERYTHING, Flavor, Workspace};
use anyhow::{Context, Result};
use model::{ProgramId, Project};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Cargo's argument for reports that [`run`] understands.
pub(crate) const JSON: &str = "--message-format=json";

/// So many listings of a part are built as a program of their own; more are built with all of the part.
const FEW: usize = 6;

/// A listing that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The executable.
    pub executable: PathBuf,
    /// What the executable's first argument must be, if it has several listings.
    pub argument: Option<String>,
}

/// What came of building listings.
#[derive(Debug, Default)]
pub struct Built {
    /// The listings that compile.
    pub programs: BTreeMap<ProgramId, Program>,
    /// What cargo and the compiler said, if something does not compile; otherwise empty.
    pub errors: String,
}

/// Builds these listings.
///
/// # Errors
///
/// Cargo cannot be started, or the listings' workspace cannot be written. A listing that does not compile is no error
/// here: it has no program, and [`Built::errors`] says why.
pub fn build(project: &Project, names: &[ProgramId]) -> Result<Built> {
    if names.is_empty() {
        return Ok(Built::default());
    }
    let workspace = plain(project)?;
    build_in(&workspace, names, Mode::Run)
}

/// Builds the unit tests of these listings: each program is a test executable, to be filtered by
/// [`Workspace::test_prefix`].
///
/// Fails as [`build`] does.
pub fn build_tests(workspace: &Workspace, names: &[ProgramId]) -> Result<Built> {
    build_in(workspace, names, Mode::Test)
}

/// The workspace with the listings as they are.
///
/// Fails if it cannot be written.
pub fn plain(project: &Project) -> Result<Workspace> {
    Workspace::write(project, Flavor::Plain, |_, text| {
        Ok(Some(format!(
            "{text}\npub fn run_main() -> impl ::std::process::Termination {{\n    main()\n}}\n"
        )))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Run,
    Test,
}

/// Binaries to build, by their package and name, each with the listings in it.
type Binaries = BTreeMap<(String, String), Vec<ProgramId>>;

pub(crate) fn build_in(workspace: &Workspace, names: &[ProgramId], mode: Mode) -> Result<Built> {
    let mut built = Built::default();
    if names.is_empty() {
        return Ok(built);
    }
    let all = binaries(workspace, names, true)?;
    build_binaries(workspace, &all, mode, &mut built)?;
    if built.errors.is_empty() {
        return Ok(built);
    }
    // A listing that does not compile must not hide the others of its part; and `cargo test` has no `--keep-going`, so it hid
    // even those of other parts.
    let is_blamed = |name: &&ProgramId| {
        let place = format!("{}:", name.source());
        built.errors.replace('\\', "/").contains(&place)
    };
    let (_, sound): (Vec<_>, Vec<_>) = names
        .iter()
        .filter(|name| !built.programs.contains_key(name))
        .partition(is_blamed);
    let mut parts: BTreeMap<&str, Vec<ProgramId>> = BTreeMap::new();
    for name in sound {
        parts.entry(&name.part).or_default().push(name.clone());
    }
    for names in parts.values() {
        let sound = binaries(workspace, names, false)?;
        build_binaries(workspace, &sound, mode, &mut built)?;
    }
    Ok(built)
}

/// The binaries that have these listings: few of a part are built apart from the others, and all of them if the part's own
/// binary does not compile.
fn binaries(workspace: &Workspace, names: &[ProgramId], whole_parts: bool) -> Result<Binaries> {
    let mut by_part: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut binaries = Binaries::new();
    for name in names {
        if workspace.is_alone(name) {
            let binary = (name.part.clone(), name.name.clone());
            binaries.insert(binary, vec![name.clone()]);
        } else {
            let part = by_part.entry(&name.part).or_default();
            part.insert(name.name.clone());
        }
    }
    for (part, grouped) in by_part {
        let size = workspace.group_size(part);
        let is_most = grouped.len() == size || grouped.len() > FEW.max(size / 2);
        let binary = match whole_parts && is_most {
            true => part.to_owned(),
            false => workspace.write_some(part, &grouped)?,
        };
        let grouped = grouped.into_iter().map(|name| ProgramId {
            part: part.to_owned(),
            name,
        });
        binaries.insert((part.to_owned(), binary), grouped.collect());
    }
    Ok(binaries)
}

/// Builds binaries, and adds what came of it.
fn build_binaries(
    workspace: &Workspace,
    binaries: &Binaries,
    mode: Mode,
    built: &mut Built,
) -> Result<()> {
    let mut cargo = cargo_in(workspace, mode);
    for (part, binary) in binaries.keys() {
        select(&mut cargo, part, &["--bin", binary]);
    }
    let compiled = run(&mut cargo)?;
    built.errors.push_str(&compiled.errors);
    for (binary, names) in binaries {
        let Some(executable) = compiled.executables.get(binary) else {
            continue;
        };
        for name in names {
            let argument = (!workspace.is_alone(name)).then(|| name.name.clone());
            let program = Program {
                executable: executable.clone(),
                argument,
            };
            built.programs.insert(name.clone(), program);
        }
    }
    Ok(())
}

/// What cargo compiled.
#[derive(Debug, Default)]
pub struct Compiled {
    /// Executables, by the name of their package and of their target.
    pub executables: BTreeMap<(String, String), PathBuf>,
    /// The libraries that were needed.
    pub libraries: Vec<Library>,
    /// The compiler's errors, by the name of the package and of the target.
    pub diagnostics: BTreeMap<(String, String), Vec<Value>>,
    /// The same as text, or cargo's own words; empty if everything compiled.
    pub errors: String,
}

/// A library that was compiled.
#[derive(Debug, Clone)]
pub struct Library {
    /// The name under which programs use it.
    pub name: String,
    /// Its package.
    pub package: String,
    /// The version of its package.
    pub version: String,
    /// The folder of its package.
    pub folder: PathBuf,
    /// What the compiler links: an `.rlib`, or the file of a procedural macro.
    pub file: PathBuf,
}

impl Library {
    fn read(message: &Value) -> Option<Self> {
        let (_, id) = message["package_id"].as_str()?.rsplit_once('#')?;
        let (package, version) = id.split_once('@')?;
        let files = message["filenames"].as_array()?.iter();
        let mut files = files.filter_map(Value::as_str).map(PathBuf::from);
        let is_linkable = |file: &PathBuf| {
            let ending = file.extension().unwrap_or_default();
            ["rlib", "so", "dylib", "dll"]
                .iter()
                .any(|it| ending == *it)
        };
        Some(Self {
            name: message["target"]["name"].as_str()?.replace('-', "_"),
            package: package.to_owned(),
            version: version.to_owned(),
            folder: Path::new(message["manifest_path"].as_str()?)
                .parent()?
                .to_owned(),
            file: files.find(is_linkable)?,
        })
    }
}

/// A cargo that builds programs in the listings' workspace, or their tests. It's to be given [packages](select).
pub(crate) fn cargo_in(workspace: &Workspace, mode: Mode) -> Command {
    let mut command = cargo_below(workspace.root(), workspace.build_folder());
    match mode {
        Mode::Run => command.args(["build", "--keep-going"]),
        Mode::Test => command.args(["test", "--no-run", "--no-fail-fast"]),
    };
    command.arg(JSON);
    match workspace.flavor() {
        Flavor::Plain => select(&mut command, EVERYTHING, &[]),
        Flavor::Recorded => {
            let (variable, flags) = recording_flags();
            command.env(variable, flags);
        }
    }
    command
}

/// A cargo in a workspace's folder, which compiles crates into another folder. It's to be given a
/// command and [`JSON`].
pub(crate) fn cargo_below(workspace: &Path, build_folder: &Path) -> Command {
    let mut command = Command::new(cargo());
    command
        .current_dir(workspace)
        .env("CARGO_BUILD_BUILD_DIR", build_folder)
        .env("CARGO_TARGET_DIR", workspace.join("target"))
        // It names the package of the test that runs this.
        .env_remove("CARGO_MANIFEST_DIR");
    command
}

/// Adds a package, and arguments that choose among its targets.
pub(crate) fn select(command: &mut Command, package: &str, targets: &[&str]) {
    command.args(["--package", package]).args(targets);
}

/// The compiler's flags, with the one for Tokio's reports, in the variable from which cargo reads them.
fn recording_flags() -> (&'static str, OsString) {
    let with = |flags: Option<OsString>, separator: &str| {
        let mut flags = flags.unwrap_or_default();
        if !flags.is_empty() {
            flags.push(separator);
        }
        flags.push(["--cfg", "tokio_unstable"].join(separator));
        flags
    };
    match env::var_os("CARGO_ENCODED_RUSTFLAGS") {
        Some(flags) => ("CARGO_ENCODED_RUSTFLAGS", with(Some(flags), "\u{1f}")),
        None => ("RUSTFLAGS", with(env::var_os("RUSTFLAGS"), " ")),
    }
}

/// Runs a cargo that reports in JSON. What it's doing is shown on standard error meanwhile.
pub fn run(command: &mut Command) -> Result<Compiled> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let stderr = child.stderr.take().context("cargo has a standard error")?;
    let progress = std::thread::spawn(move || {
        let mut said = String::new();
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if !line.trim_start().starts_with("Finished") {
                eprintln!("{line}");
            }
            said.push_str(&line);
            said.push('\n');
        }
        said
    });
    let stdout = child.stdout.take().context("cargo has a standard output")?;
    let mut compiled = Compiled::default();
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read what cargo prints")?;
        // The test executables' own lines never come: they are not run.
        if let Ok(message) = serde_json::from_str(&line) {
            compiled.take(&message);
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    let said = progress.join().unwrap_or_default();
    if status.success() {
        compiled.errors.clear();
    } else if compiled.errors.is_empty() {
        compiled.errors = said.replace("\r\n", "\n");
    }
    Ok(compiled)
}

impl Compiled {
    fn take(&mut self, message: &Value) {
        let package = message["package_id"].as_str().unwrap_or_default();
        let target = message["target"]["name"].as_str().unwrap_or_default();
        match message["reason"].as_str() {
            Some("compiler-artifact") => {
                if let Some(executable) = message["executable"].as_str() {
                    let name = (package_name(package), target.to_owned());
                    self.executables.insert(name, executable.into());
                } else {
                    self.libraries.extend(Library::read(message));
                }
            }
            Some("compiler-message") => {
                let diagnostic = &message["message"];
                let name = (package_name(package), target.to_owned());
                self.diagnostics
                    .entry(name)
                    .or_default()
                    .push(diagnostic.clone());
                if diagnostic["level"] == "error" {
                    let text = diagnostic["rendered"].as_str().unwrap_or_default();
                    self.errors.push_str(text);
                }
            }
            _ => {}
        }
    }
}

/// `tasks` of `path+file:///book/target/programs/listings/tasks#0.1.0`, or of `...#tasks@0.1.0`.
fn package_name(id: &str) -> String {
    let (path, fragment) = id.rsplit_once('#').unwrap_or((id, ""));
    let name = match fragment.split_once('@') {
        Some((name, _)) => name,
        None => path.rsplit('/').next().unwrap_or_default(),
    };
    name.to_owned()
}

/// The compiler's errors about one listing, or all of them if none is about it: another listing of its part keeps it from
/// being built.
pub fn errors_of(built: &Built, name: &ProgramId, file: &str) -> String {
    let about_it: Vec<_> = built
        .errors
        .split_inclusive("\n\n")
        .filter(|error| error.contains(&format!("{file}:")))
        .collect();
    if !about_it.is_empty() {
        return format!("{file} does not compile:\n{}", about_it.concat());
    }
    let others: BTreeSet<_> = built
        .errors
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("--> "))
        .collect();
    match others.is_empty() {
        true => format!("{name} cannot be built:\n{}", built.errors),
        false => format!(
            "{name} cannot be run, because another listing of its part does not compile: {}",
            others.into_iter().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Builds tests that belong to no listing, named `part` and `tests/suite`.
///
/// Fails if Cargo cannot be started, or they do not compile.
pub fn build_suites(
    workspace: &Workspace,
    names: &[ProgramId],
) -> Result<BTreeMap<ProgramId, PathBuf>> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut cargo = cargo_in(workspace, Mode::Test);
    let suite = |name: &ProgramId| name.name.trim_start_matches("tests/").to_owned();
    for name in names {
        select(&mut cargo, &name.part, &["--test", &suite(name)]);
    }
    let compiled = run(&mut cargo)?;
    anyhow::ensure!(compiled.errors.is_empty(), "{}", compiled.errors);
    let built = names.iter().filter_map(|name| {
        let target = (name.part.clone(), suite(name));
        Some((name.clone(), compiled.executables.get(&target)?.clone()))
    });
    Ok(built.collect())
}
