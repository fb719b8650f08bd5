//! What is wrong with the book, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake in the book: the place to look at and what to do there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, relative to the book's root where it lies inside it.
    pub file: PathBuf,
    /// The line, counted from 1; `None` where the whole file is meant.
    pub line: Option<usize>,
    /// What is wrong, and what would fix it.
    pub message: String,
}

impl Problem {
    /// A problem at a line (from 1) of a file.
    pub fn at(file: impl AsRef<Path>, line: usize, message: impl Into<String>) -> Self {
        Self {
            file: file.as_ref().to_owned(),
            line: Some(line),
            message: message.into(),
        }
    }

    /// A problem of a file as a whole.
    pub fn of(file: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self {
            file: file.as_ref().to_owned(),
            line: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Forward slashes on every system, so that messages are the same everywhere.
        let file = self.file.to_string_lossy().replace('\\', "/");
        match self.line {
            Some(line) => write!(f, "{file}:{line}: {}", self.message),
            None => write!(f, "{file}: {}", self.message),
        }
    }
}

impl std::error::Error for Problem {}

/// Everything that is wrong with the book, in the order of files and lines. Never empty.
#[derive(Debug, Clone)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// `Err` with all problems, or `Ok` where there are none.
    pub fn none_in(mut problems: Vec<Problem>) -> Result<(), Problems> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort();
        problems.dedup();
        Err(Problems(problems))
    }

    /// The problems, sorted by file and line.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
