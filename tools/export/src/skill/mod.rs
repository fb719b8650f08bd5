//! The skill that coding agents load: a short `SKILL.md`, and a file for each task that an agent gets.
//!
//! The prose is in the templates below [`TEMPLATES`]; every line of code comes from a listing, by a directive:
//!
//! - `{{#listing part/name}}` is a whole program without its tests, and `{{#listing part/name:anchor}}` what an anchor holds
//!   (`{{#compile_fail}}` and `{{#unstable}}` as well);
//! - `{{#tests part/name}}` is the module of its tests;
//! - `{{#helper file.rs}}` is a file of `tools/hazards/src/`, which these tests call;
//! - `{{#version crate}}`, inside a line.
//!
//! The format is that of <https://agentskills.io>.

pub mod check;

use crate::site::write_files;
use anyhow::{Context, Result, anyhow, bail};
use model::directive::{self, Directive, Placed};
use model::ids::heading_id;
use model::program::{ProgramKind, ProgramRef};
use model::source::Source;
use model::{ProgramId, Project, lock, manifest, uses};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

/// The skill's folder, relative to the book's root. It has the skill's name.
pub const FOLDER: &str = "skills/tokio-hazards";

/// The command that writes it.
pub const COMMAND: &str = "cargo book skill";

/// The folder of the templates, relative to the book's root.
pub const TEMPLATES: &str = "tools/export/skill";

/// The folder of the test helpers.
const HELPERS: &str = "tools/hazards/src";

/// The placeholder in `SKILL.md` for the list of the references.
const REFERENCES: &str = "@references@";

/// The files of the skill, by their paths in [`FOLDER`].
///
/// # Errors
///
/// A template has a directive that the skill doesn't know, or names what doesn't exist.
pub fn files(project: &Project) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for path in uses::pages_below(project, TEMPLATES) {
        let name = path.trim_start_matches(TEMPLATES).trim_start_matches('/');
        let text = project.read(&path)?;
        let text = expand(project, &text).with_context(|| path.clone())?;
        files.insert(name.to_owned(), text);
    }
    let manifest = manifest::shown(project, manifest::ALL)?;
    files.insert(
        "references/manifest.md".to_owned(),
        format!("# One manifest for every program of this skill\n\n```toml\n{manifest}```\n"),
    );
    let list: String = files
        .iter()
        .filter_map(|(name, text)| line_for(name, text))
        .collect();
    for (name, text) in &mut files {
        *text = match name.as_str() {
            "SKILL.md" => text.replace(REFERENCES, list.trim_end()),
            _ => with_contents(text),
        };
    }
    Ok(files)
}

/// Writes the skill, and removes the files that no longer belong to it.
///
/// # Errors
///
/// As [`files`]; or a file cannot be written.
pub fn write(project: &Project) -> Result<usize> {
    let files = files(project)?;
    let folder = project.root().join(FOLDER);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {FOLDER}"))?;
    }
    write_files(&folder, &files)?;
    Ok(files.len())
}

/// A reference in the list of them: its title, which is the task. Files of tests aren't listed, because the reference of their
/// program leads to them.
fn line_for(name: &str, text: &str) -> Option<String> {
    let title = text.strip_prefix("# ")?.lines().next()?;
    (name.starts_with("references/") && !name.ends_with("_tests.md"))
        .then(|| format!("- [{name}]({name}): {title}\n"))
}

/// A reference with the list of its sections above the first of them.
fn with_contents(text: &str) -> String {
    let mut contents = String::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        if let Some(heading) = line.strip_prefix("## ").filter(|_| !fenced) {
            let _ = writeln!(
                contents,
                "- [{heading}](#{})",
                heading_id(&heading.replace('`', ""))
            );
        }
    }
    match text.split_once("\n## ") {
        Some((above, below)) => format!("{}\n\n{contents}\n## {below}", above.trim_end()),
        None => text.to_owned(),
    }
}

/// A template with its directives replaced.
fn expand(project: &Project, text: &str) -> Result<String> {
    let (directives, malformed) = directive::find(text);
    if let Some(it) = malformed.first() {
        bail!("line {}: {}", it.line, it.message);
    }
    let mut expanded = String::new();
    let mut copied = 0;
    for placed in &directives {
        expanded.push_str(&text[copied..placed.range.start]);
        copied = placed.range.end;
        let code = replacement(project, placed);
        expanded.push_str(&code.with_context(|| format!("line {}", placed.line))?);
    }
    expanded.push_str(&text[copied..]);
    Ok(expanded)
}

fn replacement(project: &Project, placed: &Placed) -> Result<String> {
    let argument = &placed.argument;
    match (placed.name.as_str(), &placed.directive) {
        ("tests", _) => {
            let id = ProgramId::parse(argument).map_err(|message| anyhow!(message))?;
            let text = project.read(&id.source())?;
            let tests = Source::parse(&text)
                .map_err(|it| anyhow!(it.message))?
                .test_module();
            match tests.is_empty() {
                true => bail!("{id} has no tests"),
                false => Ok(block(&tests)),
            }
        }
        ("helper", _) => {
            let text = project.read(&format!("{HELPERS}/{argument}"))?;
            Ok(block(&text))
        }
        (_, Ok(Directive::Program(kind, shown))) => program(project, *kind, shown),
        (_, Ok(Directive::Version(name))) => Ok(lock::version(project, name)?),
        (name, _) => bail!("a template of the skill can't have {{{{#{name} {argument}}}}}"),
    }
}

/// A program without its tests and the comment at the top, or what an anchor holds.
fn program(project: &Project, kind: ProgramKind, shown: &ProgramRef) -> Result<String> {
    let text = project.read(&shown.id.file(kind))?;
    let source = Source::parse(&text).map_err(|it| anyhow!(it.message))?;
    let Some(anchor) = &shown.anchor else {
        let program = source.program_without_tests();
        let is_comment = |line: &&str| line.starts_with("//!") || line.is_empty();
        let lines = program.lines().skip_while(is_comment);
        return Ok(block(&lines.collect::<Vec<_>>().join("\n")));
    };
    let lines = source.cut(Some(anchor)).map_err(|it| anyhow!(it.message))?;
    let lines = lines.iter().filter(|line| line.shown).map(|line| line.text);
    let lines: Vec<&str> = lines.collect();
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let filled = lines.iter().filter(|line| !line.trim().is_empty());
    let least = filled.map(indent).min().unwrap_or_default();
    let lines = lines
        .iter()
        .map(|line| line.get(least..).unwrap_or_default());
    Ok(block(&lines.collect::<Vec<_>>().join("\n")))
}

fn block(code: &str) -> String {
    format!("```rust\n{}\n```", code.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_starts_with_its_contents() {
        let text = "# Task\n\nWhat it covers.\n\n## The `a` program\n\n```rust\n## no heading\n```\n\n## Traps\n";
        let expected = "# Task\n\nWhat it covers.\n\n- [The `a` program](#the-a-program)\n- [Traps](#traps)\n\n## The `a` program\n\n```rust\n## no heading\n```\n\n## Traps\n";
        assert_eq!(with_contents(text), expected);
        assert_eq!(
            line_for("references/a.md", text).as_deref(),
            Some("- [references/a.md](references/a.md): Task\n")
        );
        assert_eq!(line_for("references/a_tests.md", text), None);
    }
}
