//! In which version of a crate something came: `{{#since tokio 1.21.0 JoinSet}}`.
//!
//! A page shows the version, as a link to the crate's own list of changes. `verify::since` reads that list, in the
//! source of the locked crate, and looks for the words there.

use crate::lock;
use crate::problem::Problem;
use crate::project::Project;

/// What a page tells of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The crate; `rust` for the language and its standard library.
    pub package: String,
    /// The version, in three numbers, as the list of changes has it.
    pub version: String,
    /// What the list of changes says of it there.
    pub words: String,
}

impl Since {
    /// Reads `crate version words`.
    ///
    /// # Errors
    ///
    /// Something is missing, with what to write.
    pub fn parse(argument: &str) -> Result<Self, String> {
        let mut words = argument.splitn(3, char::is_whitespace);
        let mut word = || words.next().map(str::trim).filter(|it| !it.is_empty());
        match (word(), word(), word()) {
            (Some(package), Some(version), Some(words)) if is_version(version) => Ok(Self {
                package: package.to_owned(),
                version: version.to_owned(),
                words: words.to_owned(),
            }),
            _ => Err(format!(
                "`{{{{#since {argument}}}}}` does not say since when; write {{{{#since crate version words}}}}, with \
                 the version in three numbers and words that its list of changes has there"
            )),
        }
    }

    /// The version as a link to its changelog.
    ///
    /// # Errors
    ///
    /// The book does not depend on the crate.
    pub fn link(&self, project: &Project) -> Result<String, Problem> {
        let Self {
            package, version, ..
        } = self;
        let shown = version.strip_suffix(".0").unwrap_or(version);
        Ok(if package == lock::RUST {
            format!("[Rust {shown}](https://doc.rust-lang.org/releases.html)")
        } else {
            let locked = lock::locked(project, package)?;
            format!(
                "[{package} {shown}](https://docs.rs/crate/{package}/{locked}/source/CHANGELOG.md)"
            )
        })
    }
}

fn is_version(text: &str) -> bool {
    let numbers = text.split('.').filter(|it| it.parse::<u32>().is_ok());
    numbers.count() == 3 && text.matches('.').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_and_the_words_of_its_list_of_changes() {
        assert_eq!(
            Since::parse("tokio 1.21.0 `JoinSet` is stable"),
            Ok(Since {
                package: "tokio".into(),
                version: "1.21.0".into(),
                words: "`JoinSet` is stable".into(),
            })
        );
        for wrong in [
            "tokio",
            "tokio 1.21 JoinSet",
            "tokio 1.21.0",
            "tokio 1.x.0 a",
        ] {
            let report = Since::parse(wrong).expect_err("it lacks something");
            assert!(
                report.contains("write {{#since crate version words}}"),
                "{report}"
            );
        }
    }
}
