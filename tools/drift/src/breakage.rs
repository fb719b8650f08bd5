//! One way to break the book.

use crate::check::Check;

/// One way to break the book, at one place.
#[derive(Debug, Clone)]
pub struct Breakage {
    /// The number of the promise that it breaks.
    pub promise: usize,
    /// What is done, in a few words: "join_next renamed in listings/tasks/src/bin/join_set.rs:24".
    pub what: String,
    /// The files that are changed.
    pub edits: Vec<Edit>,
    /// What is meant to notice.
    pub check: Check,
    /// The place that its message must name: `src/tasks/waiting.md:12`.
    pub place: String,
    /// Words that only this check says.
    pub says: String,
}

/// A file of the book, and its new text; none where the file is removed.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The file, relative to the book's root.
    pub file: String,
    /// What it holds from now on.
    pub text: Option<String>,
}

impl Edit {
    /// Writes a file.
    pub fn write(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            text: Some(text.into()),
        }
    }

    /// Removes a file.
    pub fn remove(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            text: None,
        }
    }
}
