//! The pages and programs of the book, as they are before anything is broken.

use crate::text::{Line, Text};
use anyhow::{Result, anyhow, ensure};
use model::hazards::Hazard;
use model::source::Source;
use model::source::WRONG;
use model::uses::{self, Use};
use model::{ProgramId, Project};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The book, read once.
pub struct BookSnapshot {
    /// The book itself.
    pub project: Project,
    /// The pages in the table of contents.
    pub pages: Vec<Text>,
    /// The listings, sorted by name.
    pub listings: Vec<Program>,
    /// The programs that must not compile, with the compiler's messages as outputs.
    pub compile_fail: Vec<Program>,
    /// The programs that need `--cfg tokio_unstable`.
    pub unstable: Vec<Program>,
    /// The directives on the pages.
    pub uses: Vec<Use>,
    /// How each mistake is fixed.
    pub fixes: BTreeMap<String, Vec<Fix>>,
    /// How patterns are weakened, so that a hazard gets through.
    pub weakenings: Vec<Weakening>,
}

/// A program and its output.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name.
    pub name: ProgramId,
    /// Its text.
    pub source: Text,
    /// Its output; none if no page shows it.
    pub output: Option<Text>,
    /// Whether its caption calls it wrong.
    pub is_mistake: bool,
}

/// A change that fixes a mistake.
#[derive(Debug, Clone, Deserialize)]
pub struct Fix {
    /// The program, as part/name.
    pub program: String,
    /// The text to replace, which the program has once.
    pub replace: String,
    /// The text that replaces it.
    pub with: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixes {
    fix: Vec<Fix>,
}

/// A change that takes a guard out of a pattern.
#[derive(Debug, Clone, Deserialize)]
pub struct Weakening {
    /// The hazard that gets through, whose test must fail.
    pub hazard: Hazard,
    /// The change.
    #[serde(flatten)]
    pub change: Fix,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Weakenings {
    weakening: Vec<Weakening>,
}

/// The file with the fixes, relative to the book's root.
pub const FIXES: &str = "listings/fixes.toml";

/// The file with the weakenings, relative to the book's root.
pub const WEAKENINGS: &str = "listings/weakenings.toml";

impl BookSnapshot {
    /// Reads the book.
    ///
    /// Fails if a file can't be read.
    pub fn load(project: &Project) -> Result<Self> {
        let read = |file: String| {
            let text = project.read(&file)?;
            anyhow::Ok(Text { file, text })
        };
        let summary = project.read("src/SUMMARY.md")?;
        let mut pages = Vec::new();
        for file in uses::pages_below(project, "src") {
            if summary.contains(&format!("({})", file.trim_start_matches("src/"))) {
                pages.push(read(file)?);
            }
        }
        let program = |name: ProgramId, source: String, output: String| {
            let source = read(source)?;
            let caption = Source::parse(&source.text)
                .ok()
                .and_then(|source| source.caption());
            let is_mistake = caption.is_some_and(|caption| caption.starts_with(WRONG));
            anyhow::Ok(Program {
                output: project.has(&output).then(|| read(output)).transpose()?,
                name,
                source,
                is_mistake,
            })
        };
        let listings = project.listings()?.into_iter();
        let compile_fail = project.compile_fail_programs()?.into_iter();
        let unstable = project.unstable_programs()?.into_iter();
        let all: Fixes =
            toml::from_str(&project.read(FIXES)?).map_err(|error| anyhow!("{FIXES}: {error}"))?;
        let weakenings = match project.has(WEAKENINGS) {
            true => toml::from_str(&project.read(WEAKENINGS)?)
                .map_err(|error| anyhow!("{WEAKENINGS}: {error}"))?,
            false => Weakenings::default(),
        };
        let mut fixes: BTreeMap<String, Vec<Fix>> = BTreeMap::new();
        for fix in all.fix {
            fixes.entry(fix.program.clone()).or_default().push(fix);
        }
        Ok(Self {
            pages,
            listings: listings
                .map(|name| program(name.clone(), name.source(), name.output()))
                .collect::<Result<_>>()?,
            compile_fail: compile_fail
                .map(|name| program(name.clone(), name.compile_fail(), name.stderr()))
                .collect::<Result<_>>()?,
            unstable: unstable
                .map(|name| program(name.clone(), name.unstable(), name.unstable_output()))
                .collect::<Result<_>>()?,
            uses: uses::all(project),
            fixes,
            weakenings: weakenings.weakening,
            project: project.clone(),
        })
    }

    /// The directives of one name.
    pub fn uses_of(&self, directive: &str) -> impl Iterator<Item = &Use> {
        self.uses
            .iter()
            .filter(move |used| used.directive == directive)
    }

    /// The line of a directive.
    pub fn line_of(&self, used: &Use) -> Option<Line<'_>> {
        let page = self.pages.iter().find(|page| page.file == used.page)?;
        page.line(used.line)
    }

    /// The lines of all pages.
    pub fn page_lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.pages.iter().flat_map(Text::lines)
    }

    /// Any other file; empty if the book doesn't have it.
    pub fn file(&self, file: impl Into<String>) -> Text {
        let file = file.into();
        let text = self.project.read(&file).unwrap_or_default();
        Text { file, text }
    }

    /// The text files below a folder.
    pub fn folder(&self, folder: &str) -> Vec<Text> {
        files_below(&self.project.root().join(folder))
            .into_iter()
            .map(|(file, text)| Text {
                file: format!("{}/{file}", folder.trim_end_matches('/')),
                text,
            })
            .collect()
    }

    /// The numbers of the lines of a listing that pages show, without its tests.
    pub fn visible(&self, listing: &Program) -> BTreeSet<usize> {
        let prefix = format!("{}:", listing.name);
        let anchors: Vec<&str> = self
            .uses_of("listing")
            .filter_map(|used| used.argument.strip_prefix(&prefix))
            .collect();
        let mut inside = anchors.is_empty();
        let mut visible = BTreeSet::new();
        let lines = listing.source.lines();
        for line in lines.take_while(|line| !line.text.contains("#[cfg(test)]")) {
            let mark = line.text.trim().trim_start_matches("// ");
            if let Some(name) = mark.strip_prefix("ANCHOR: ") {
                inside |= anchors.contains(&name);
            } else if let Some(name) = mark.strip_prefix("ANCHOR_END: ") {
                inside &= !anchors.contains(&name);
            } else if inside && !line.text.trim_start().starts_with("//") {
                visible.insert(line.number);
            }
        }
        visible
    }

    /// A program with its mistake fixed.
    ///
    /// Fails if the program has no fix, or doesn't have the text to replace exactly once.
    pub fn fixed(&self, name: &ProgramId, text: &str) -> Result<String> {
        let fixes = self.fixes.get(&name.to_string()).ok_or_else(|| {
            anyhow!("{FIXES} has no fix for `{name}`, which is shown as a mistake")
        })?;
        let mut text = text.to_owned();
        for fix in fixes {
            text = fix.applied(FIXES, &text)?;
        }
        Ok(text)
    }

    /// What's wrong with the weakenings: `cargo book drift` tries only a sample of them, and would find one
    /// whose program has changed by chance.
    pub fn stale_weakenings(&self) -> Vec<String> {
        let changes = self.weakenings.iter().map(|it| &it.change);
        let applied = changes.map(|change| {
            let is_named = |it: &&Program| it.name.to_string() == change.program;
            let program = self.listings.iter().find(is_named);
            let program = program
                .ok_or_else(|| anyhow!("{WEAKENINGS}: there is no listing `{}`", change.program))?;
            change.applied(WEAKENINGS, &program.source.text)
        });
        let stale = applied.filter_map(Result::err);
        stale.map(|error| error.to_string()).collect()
    }
}

impl Fix {
    /// A program's text with this change, which is written in `file`.
    ///
    /// Fails if the program doesn't have the text to replace exactly once.
    pub fn applied(&self, file: &str, text: &str) -> Result<String> {
        let count = text.matches(&self.replace).count();
        ensure!(
            count == 1,
            "{file}: `{}` has the text to replace {count} times instead of once:\n{}",
            self.program,
            self.replace
        );
        Ok(text.replace(&self.replace, &self.with))
    }
}

/// The text files below a folder, sorted, each with its path from there.
pub fn files_below(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        let entries = fs::read_dir(folder.join(&below)).into_iter().flatten();
        for entry in entries.flatten() {
            let file = below.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(file);
            } else if let Ok(text) = fs::read_to_string(entry.path()) {
                files.push((file.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn a_mistake_is_fixed_as_the_file_says() {
        let book = Scratch::sound();
        let text = "//! Wrong: it is zero.\nlet limit = 0;\n";
        book.write("listings/demo/src/bin/wrong.rs", text);
        let fix = "[[fix]]\nprogram = \"demo/wrong\"\nreplace = \"0\"\nwith = \"8\"\n";
        book.write(FIXES, fix);
        let project = Project::open(book.root()).expect("a book");
        let snapshot = BookSnapshot::load(&project).expect("it can be read");
        let mut wrong = snapshot.listings.iter().filter(|it| it.is_mistake);
        let name = &wrong.next().expect("there is one mistake").name;
        assert!(wrong.next().is_none());
        let fixed = |name, text| {
            let fixed = snapshot.fixed(name, text);
            fixed.map_err(|error| error.to_string())
        };
        assert_eq!(
            fixed(name, text).as_deref(),
            Ok("//! Wrong: it is zero.\nlet limit = 8;\n")
        );
        let twice = fixed(name, "00").expect_err("it has two zeros");
        assert!(
            twice.contains("`demo/wrong` has the text to replace 2 times"),
            "{twice}"
        );
        let hello = ProgramId::parse("demo/hello").expect("a name");
        let unknown = fixed(&hello, "").expect_err("it has no fix");
        assert!(unknown.contains("no fix for `demo/hello`"), "{unknown}");
    }

    #[test]
    fn a_weakening_whose_program_has_changed_is_reported() {
        let book = Scratch::sound();
        let weakening = |program: &str, replace: &str| {
            format!(
                "[[weakening]]\nprogram = \"{program}\"\nhazard = \"slow\"\nreplace = \"{replace}\"\nwith = \"\"\n"
            )
        };
        let weakenings = [
            weakening("demo/hello", "timeout(LIMIT"),
            weakening("demo/hello", "fn main("),
            weakening("demo/goodbye", "fn main("),
        ];
        book.write(FIXES, "fix = []\n");
        book.write(WEAKENINGS, weakenings.concat());
        let project = Project::open(book.root()).expect("a book");
        let snapshot = BookSnapshot::load(&project).expect("it can be read");
        assert_eq!(
            snapshot.stale_weakenings(),
            [
                "listings/weakenings.toml: `demo/hello` has the text to replace 0 times instead of once:\ntimeout(LIMIT",
                "listings/weakenings.toml: there is no listing `demo/goodbye`",
            ]
        );
    }
}
