//! The pages and programs of the book, as they are before anything is broken.

use crate::text::{Line, Text};
use anyhow::{Result, anyhow, ensure};
use pages::expand::WRONG;
use pages::listing::{ListingName, Source};
use pages::uses::{self, Use};
use pages::{Project, lock};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The book, read once.
pub struct BookSnapshot {
    /// The book itself.
    pub project: Project,
    /// The pages in the table of contents.
    pub pages: Vec<Text>,
    /// The listings, sorted by name.
    pub listings: Vec<Listing>,
    /// The programs that must not compile.
    pub compile_fail: Vec<ListingName>,
    /// The programs that need `--cfg tokio_unstable`.
    pub unstable: Vec<ListingName>,
    /// The directives on the pages.
    pub uses: Vec<Use>,
    /// How each mistake is fixed.
    pub fixes: BTreeMap<String, Vec<Fix>>,
}

/// A listing and its output.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Its name.
    pub name: ListingName,
    /// Its program.
    pub source: Text,
    /// Its output; none if no page shows it.
    pub output: Option<Text>,
    /// Whether its caption calls it wrong.
    pub is_mistake: bool,
}

/// A change that fixes a mistake.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
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

/// The file with the fixes, relative to the book's root.
pub const FIXES: &str = "listings/fixes.toml";

impl BookSnapshot {
    /// Reads the book.
    ///
    /// # Errors
    ///
    /// A file can't be read.
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
        let mut listings = Vec::new();
        for name in project.listings()? {
            let source = read(name.source())?;
            let output = match project.has(&name.output()) {
                true => Some(read(name.output())?),
                false => None,
            };
            let caption = Source::parse(&source.text)
                .ok()
                .and_then(|source| source.caption());
            let is_mistake = caption.is_some_and(|caption| caption.starts_with(WRONG));
            listings.push(Listing {
                name,
                source,
                output,
                is_mistake,
            });
        }
        let all: Fixes =
            toml::from_str(&project.read(FIXES)?).map_err(|error| anyhow!("{FIXES}: {error}"))?;
        let mut fixes: BTreeMap<String, Vec<Fix>> = BTreeMap::new();
        for fix in all.fix {
            fixes.entry(fix.program.clone()).or_default().push(fix);
        }
        Ok(Self {
            pages,
            listings,
            compile_fail: project.compile_fail_programs()?,
            unstable: project.unstable_programs()?,
            uses: uses::all(project),
            fixes,
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

    /// A program with its mistake fixed.
    ///
    /// # Errors
    ///
    /// The program has no fix, or doesn't have the text to replace exactly once.
    pub fn fixed(&self, name: &ListingName, text: &str) -> Result<String> {
        let fixes = self.fixes.get(&name.to_string()).ok_or_else(|| {
            anyhow!("{FIXES} has no fix for `{name}`, which is shown as a mistake")
        })?;
        let mut text = text.to_owned();
        for fix in fixes {
            let count = text.matches(&fix.replace).count();
            ensure!(
                count == 1,
                "{FIXES}: `{name}` has the text to replace {count} times instead of once:\n{}",
                fix.replace
            );
            text = text.replace(&fix.replace, &fix.with);
        }
        Ok(text)
    }

    /// The version of a crate that the book's own crates depend on.
    pub fn version(&self, name: &str) -> Option<String> {
        lock::version(&self.project, name).ok()
    }
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
        let hello = ListingName::parse("demo/hello").expect("a name");
        let unknown = fixed(&hello, "").expect_err("it has no fix");
        assert!(unknown.contains("no fix for `demo/hello`"), "{unknown}");
    }
}
