//! One way to break the book, and the check that must notice it.

/// One way to break the book, at one place.
#[derive(Debug, Clone)]
pub struct Breakage {
    /// What is done, in a few words: "listings/tasks/src/bin/join_set.rs:24 calls a renamed method".
    pub what: String,
    /// The files that are changed.
    pub edits: Vec<Edit>,
    /// The check that must fail.
    pub check: Check,
    /// The place that its message must name: `src/tasks/waiting.md:12`.
    pub place: String,
    /// A few words that its message must have as well, if check and place could fail for another reason.
    pub words: String,
}

impl Breakage {
    /// A breakage that the check must report at this place.
    pub fn new(
        what: impl Into<String>,
        edit: Edit,
        check: Check,
        place: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            edits: vec![edit],
            check,
            place: place.into(),
            words: String::new(),
        }
    }

    /// The same breakage, which must be reported with these words. Keep them short, because each must be changed here
    /// when the message changes.
    pub fn with_words(self, words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            ..self
        }
    }

    /// The same breakage, with more edits.
    pub fn with_edits(mut self, edits: impl IntoIterator<Item = Edit>) -> Self {
        self.edits.extend(edits);
        self
    }

    /// The same breakage, which must be reported at another place.
    pub fn reported_at(self, place: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            ..self
        }
    }
}

/// A file of the book, and its new text; none if the file is removed.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The file, relative to the book's root.
    pub file: String,
    /// Its new text.
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

/// A check of the book.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// A test file of the root package, `tests/outputs.rs`: all of it, or the one test of this name, `tasks/join_set`.
    Test {
        /// The file's name.
        file: String,
        /// The name of the test.
        only: Option<String>,
    },
    /// The test that opens a page in a browser.
    Browser {
        /// The page's source.
        page: String,
    },
}

impl Check {
    /// All tests of a file.
    pub fn all(file: impl Into<String>) -> Self {
        Self::Test {
            file: file.into(),
            only: None,
        }
    }

    /// One test of a file.
    pub fn one(file: impl Into<String>, test: impl Into<String>) -> Self {
        Self::Test {
            file: file.into(),
            only: Some(test.into()),
        }
    }

    /// The check that must pass on the unbroken copy before this one proves anything. Tests that share their work are
    /// looked at together, once for each file; tests of programs alone, because the whole file would build all programs.
    pub fn baseline(&self) -> Self {
        match self {
            Self::Test { file, .. } if ["pages", "api_links"].contains(&file.as_str()) => {
                Self::all(file)
            }
            other => other.clone(),
        }
    }
}
