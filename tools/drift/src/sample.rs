//! What there is to break: the pages and programs of the book.

use anyhow::{Result, anyhow};
use model::listing::WRONG;
use model::listing::{ListingName, Source};
use model::uses::{self, Use};
use model::{Project, lock};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The book, read.
pub struct Sample {
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
    /// Where the pages show what.
    pub uses: Vec<Use>,
    /// How each mistake is mended.
    pub mends: BTreeMap<String, Vec<Mend>>,
}

/// A file and its text.
#[derive(Debug, Clone)]
pub struct Text {
    /// The file, relative to the book's root.
    pub file: String,
    /// What it holds.
    pub text: String,
}

/// A listing with what it prints.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Its name.
    pub name: ListingName,
    /// Its program.
    pub text: String,
    /// What it prints; none where no page shows it.
    pub output: Option<String>,
    /// Whether a page calls it wrong.
    pub is_mistake: bool,
}

/// A change that mends a mistake.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mend {
    /// The program, as part/name.
    pub program: String,
    /// What stands there, once.
    pub replace: String,
    /// What stands there when it is mended.
    pub with: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mends {
    mend: Vec<Mend>,
}

/// The file with the mends, relative to the book's root.
pub const MENDS: &str = "listings/mends.toml";

impl Sample {
    /// Reads the book.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn take(project: &Project) -> Result<Self> {
        let summary = project.read("src/SUMMARY.md")?;
        let mut pages = Vec::new();
        for file in uses::pages_below(project, "src") {
            if summary.contains(&format!("({})", file.trim_start_matches("src/"))) {
                let text = project.read(&file)?;
                pages.push(Text { file, text });
            }
        }
        let mut listings = Vec::new();
        for name in project.listings()? {
            let text = project.read(&name.source())?;
            let output = match project.has(&name.output()) {
                true => Some(project.read(&name.output())?),
                false => None,
            };
            let caption = Source::parse(&text)
                .ok()
                .and_then(|source| source.caption());
            let is_mistake = caption.is_some_and(|caption| caption.starts_with(WRONG));
            listings.push(Listing {
                name,
                is_mistake,
                output,
                text,
            });
        }
        let mends: Mends = toml::from_str(&project.read(MENDS)?)
            .map_err(|error| anyhow!("{MENDS} is not what it should be: {error}"))?;
        let mut by_program: BTreeMap<String, Vec<Mend>> = BTreeMap::new();
        for mend in mends.mend {
            by_program
                .entry(mend.program.clone())
                .or_default()
                .push(mend);
        }
        Ok(Self {
            pages,
            listings,
            compile_fail: project.compile_fail_programs()?,
            unstable: project.unstable_programs()?,
            uses: uses::all(project),
            mends: by_program,
            project: project.clone(),
        })
    }

    /// Where the pages show something, by the directive's name.
    pub fn used(&self, directive: &'static str) -> impl Iterator<Item = &Use> {
        self.uses
            .iter()
            .filter(move |used| used.directive == directive)
    }

    /// The text of a page.
    pub fn page(&self, file: &str) -> Option<&Text> {
        self.pages.iter().find(|page| page.file == file)
    }

    /// A program as it is when its mistake is mended.
    ///
    /// # Errors
    ///
    /// What is to be replaced does not stand there, or the program has no mend.
    pub fn mended(&self, name: &ListingName, text: &str) -> Result<String> {
        let mends = self.mends.get(&name.to_string()).ok_or_else(|| {
            anyhow!("{MENDS} does not tell how `{name}`, which a page calls wrong, is mended")
        })?;
        let mut text = text.to_owned();
        for mend in mends {
            if text.matches(&mend.replace).count() != 1 {
                return Err(anyhow!(
                    "{MENDS}: what is to be replaced in `{name}` does not stand there once:\n{}",
                    mend.replace
                ));
            }
            text = text.replace(&mend.replace, &mend.with);
        }
        Ok(text)
    }

    /// The version of a crate that the book's own crates depend on.
    pub fn version(&self, name: &str) -> Option<String> {
        lock::version(&self.project, name).ok()
    }
}

/// The lines of a text, with their numbers from 1.
pub fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

/// A text with one line (from 1) replaced by other lines, or by none.
pub fn with_line(text: &str, number: usize, new: Option<&str>) -> String {
    let mut out = String::new();
    for (at, line) in numbered(text) {
        if at != number {
            out.push_str(line);
            out.push('\n');
        } else if let Some(new) = new {
            out.push_str(new);
            out.push('\n');
        }
    }
    out
}

/// One of several, or none of none.
pub fn pick<T>(rng: &mut fastrand::Rng, from: impl IntoIterator<Item = T>) -> Option<T> {
    let mut from: Vec<T> = from.into_iter().collect();
    if from.is_empty() {
        return None;
    }
    let at = rng.usize(..from.len());
    Some(from.swap_remove(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    #[test]
    fn a_line_is_replaced_or_removed_and_the_others_stay() {
        assert_eq!(with_line("a\nb\nc\n", 2, Some("x\ny")), "a\nx\ny\nc\n");
        assert_eq!(with_line("a\nb\n", 1, None), "b\n");
    }

    #[test]
    fn the_same_seed_picks_the_same() {
        let picked = |seed| pick(&mut fastrand::Rng::with_seed(seed), 0..1000);
        assert_eq!(picked(1), picked(1));
        assert_ne!(picked(1), picked(2));
        assert_eq!(pick(&mut fastrand::Rng::with_seed(1), [0; 0]), None);
    }

    #[test]
    fn a_mistake_is_mended_as_it_is_written_down() {
        let book = Scratch::sound();
        book.write(
            "listings/demo/src/bin/wrong.rs",
            "//! Wrong: it is zero.\nlet limit = 0;\n",
        );
        let mend = "[[mend]]\nprogram = \"demo/wrong\"\nreplace = \"0\"\nwith = \"8\"\n";
        book.write(MENDS, mend);
        let project = Project::open(book.root()).expect("a book");
        let sample = Sample::take(&project).expect("a sample");
        let wrong: Vec<_> = sample.listings.iter().filter(|it| it.is_mistake).collect();
        assert_eq!(wrong.len(), 1);
        let mended = sample
            .mended(&wrong[0].name, &wrong[0].text)
            .expect("a mend");
        assert_eq!(mended, "//! Wrong: it is zero.\nlet limit = 8;\n");
        let twice = sample
            .mended(&wrong[0].name, "00")
            .expect_err("it stands there twice");
        assert!(
            twice.to_string().contains("does not stand there once"),
            "{twice}"
        );
        let hello = ListingName::parse("demo/hello").expect("a name");
        let unknown = sample.mended(&hello, "").expect_err("it has no mend");
        assert!(
            unknown
                .to_string()
                .contains("does not tell how `demo/hello`"),
            "{unknown}"
        );
    }
}
