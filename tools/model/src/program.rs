//! The names of programs, and where their files are.

use std::fmt;

/// What is promised of a program, and so the folder of its part that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProgramKind {
    /// It runs, and prints what the book says.
    Listing,
    /// The compiler, or Clippy, refuses it.
    CompileFail,
    /// It needs a Tokio that was built with `--cfg tokio_unstable`.
    Unstable,
}

impl ProgramKind {
    /// The folder below that of a part.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Listing => "src/bin",
            Self::CompileFail => "compile_fail",
            Self::Unstable => "unstable",
        }
    }
}

/// The name of a program: the part that it belongs to and its file's name without `.rs`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProgramId {
    /// The part, and so the folder below `listings/`.
    pub part: String,
    /// The file's name without its ending, and so the name of its binary.
    pub name: String,
}

impl ProgramId {
    /// A program of this part, or of another one if its name says so: `name`, `part/name`.
    pub fn in_part(part: &str, name: &str) -> Self {
        let (part, name) = name.split_once('/').unwrap_or((part, name));
        Self {
            part: part.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Reads `part/name`; both are words of small letters, digits and underscores.
    ///
    /// # Errors
    ///
    /// It isn't a name; the message says how one is written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let word = |w: &str| {
            w.starts_with(|c: char| c.is_ascii_lowercase())
                && w.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        match text.split_once('/') {
            Some((part, name)) if word(part) && word(name) => Ok(Self {
                part: part.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err(format!(
                "`{text}` is not the name of a listing; one is written part/name in small letters, \
                 digits and underscores, such as tasks/join_set"
            )),
        }
    }

    /// Where its program lies if it's of this kind, relative to the book's root.
    pub fn file(&self, kind: ProgramKind) -> String {
        self.path(kind, "rs")
    }

    /// Where the listing's program lies, relative to the book's root.
    pub fn source(&self) -> String {
        self.file(ProgramKind::Listing)
    }

    /// Where the listing's expected output lies, relative to the book's root.
    pub fn output(&self) -> String {
        self.path(ProgramKind::Listing, "out")
    }

    /// Where its expected output on PostgreSQL lies, if it uses the server that `DATABASE_URL` names, relative to the book's root.
    pub fn postgresql_output(&self) -> String {
        self.path(ProgramKind::Listing, "postgresql.out")
    }

    /// Where the listing's expected standard error lies, if it writes any, relative to the book's root.
    pub fn errors(&self) -> String {
        self.path(ProgramKind::Listing, "err")
    }

    /// Where the recording of the listing's tasks lies, relative to the book's root.
    pub fn timeline(&self) -> String {
        self.path(ProgramKind::Listing, "timeline.json")
    }

    /// Where it lies as a program that must not compile, relative to the book's root.
    pub fn compile_fail(&self) -> String {
        self.file(ProgramKind::CompileFail)
    }

    /// Where the compiler's message for it lies, relative to the book's root.
    pub fn stderr(&self) -> String {
        self.path(ProgramKind::CompileFail, "stderr")
    }

    /// Where it lies as a program that needs `--cfg tokio_unstable`, relative to the book's root.
    pub fn unstable(&self) -> String {
        self.file(ProgramKind::Unstable)
    }

    /// Where the output of such a program lies, relative to the book's root.
    pub fn unstable_output(&self) -> String {
        self.path(ProgramKind::Unstable, "out")
    }

    fn path(&self, kind: ProgramKind, extension: &str) -> String {
        format!(
            "listings/{}/{}/{}.{extension}",
            self.part,
            kind.folder(),
            self.name
        )
    }
}

impl fmt::Display for ProgramId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.name)
    }
}

/// A program, or what one of its anchors holds: `part/name` or `part/name:anchor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramRef {
    /// The program.
    pub id: ProgramId,
    /// The anchor, if only that is shown.
    pub anchor: Option<String>,
}

impl ProgramRef {
    /// Reads `part/name` or `part/name:anchor`.
    ///
    /// # Errors
    ///
    /// It isn't a name, or the anchor is missing after the colon.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, anchor) = match text.split_once(':') {
            Some((_, "")) => {
                return Err(format!(
                    "`{text}` ends in a colon without an anchor behind it"
                ));
            }
            Some((name, anchor)) => (name, Some(anchor.to_owned())),
            None => (text, None),
        };
        Ok(Self {
            id: ProgramId::parse(name)?,
            anchor,
        })
    }

    /// The fragment of the address of the figure that shows it.
    pub fn figure_id(&self) -> String {
        match &self.anchor {
            Some(anchor) => format!("{}.{anchor}", self.id.name),
            None => self.id.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words() {
        let name = ProgramId::parse("tasks/join_set2").unwrap();
        assert_eq!(name.source(), "listings/tasks/src/bin/join_set2.rs");
        for bad in [
            "tasks",
            "tasks/",
            "../etc",
            "tasks/../x",
            "tasks/A",
            "a/b/c",
            "/a",
            "tasks/a b",
            "tasks/1a",
        ] {
            assert!(ProgramId::parse(bad).is_err(), "{bad}");
        }
    }
}
