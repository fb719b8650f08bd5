//! Files of a crate that isn't a part: `courier/src/store.rs`, or what an anchor in it holds.

use crate::project::Project;
use crate::source::{AnchorError, Source};
use crate::suggest;
use std::fmt;

/// A file of a crate, or what one of its anchors holds: `courier/src/store.rs`, `courier/src/store.rs:trait`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CrateFile {
    /// The file, relative to `listings/`.
    path: String,
    /// The anchor, if only that is shown.
    pub anchor: Option<String>,
}

/// What a page shows of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    /// The first paragraph of the comment at the top of a Rust file that is shown whole: `//! What it is.`
    pub caption: Option<String>,
    /// The lines, each with a newline.
    pub text: String,
}

impl CrateFile {
    /// Reads `crate/file` or `crate/file.rs:anchor`.
    ///
    /// # Errors
    ///
    /// It isn't a file in a crate's folder, or its kind has no anchors.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (path, anchor) = match text.split_once(':') {
            Some((path, anchor)) => (path, Some(anchor.to_owned())),
            None => (text, None),
        };
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        if !path.contains('/') || !path.split('/').all(is_name) {
            return Err(format!(
                "`{text}` is not a file of a crate; one is written crate/file, such as courier/src/store.rs, and lies below listings/"
            ));
        }
        let file = Self {
            path: path.to_owned(),
            anchor,
        };
        match &file.anchor {
            Some(anchor) if anchor.is_empty() => Err(format!(
                "`{text}` ends in a colon without an anchor behind it"
            )),
            Some(_) if !file.is_rust() => Err(format!(
                "`{path}` has no anchors, which are only in Rust files; show the whole file: {{{{#source {path}}}}}"
            )),
            _ => Ok(file),
        }
    }

    /// Where it lies, relative to the book's root.
    pub fn file(&self) -> String {
        format!("listings/{}", self.path)
    }

    /// Whether it's Rust code.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it's what a program printed.
    pub fn is_output(&self) -> bool {
        self.path.ends_with(".out")
    }

    /// The language of its block of code.
    pub fn language(&self) -> &'static str {
        match self.path.rsplit_once('.') {
            Some((_, "rs")) => "rust",
            Some((_, "toml")) => "toml",
            _ => "text",
        }
    }

    /// The fragment of the address of the figure that shows it.
    pub fn figure_id(&self) -> String {
        let path = self.path.trim_end_matches(".rs").replace('/', "-");
        match &self.anchor {
            Some(anchor) => format!("{path}.{anchor}"),
            None => path,
        }
    }

    /// What a page shows of it.
    ///
    /// # Errors
    ///
    /// There is no such file or anchor, nothing to show, or no caption.
    pub fn shown(&self, project: &Project) -> Result<Shown, String> {
        let file = self.file();
        let known = self.siblings(project)?;
        if !known.contains(&self.path) {
            let hint = suggest::did_you_mean(&self.path, known.iter().map(String::as_str));
            return Err(format!("there is no file `{}` ({file}){hint}", self.path));
        }
        let text = project.read(&file).map_err(|problem| problem.to_string())?;
        if !self.is_rust() {
            if text.trim().is_empty() {
                return Err(format!("{file} is empty, so there is nothing to show"));
            }
            return Ok(Shown {
                caption: None,
                text,
            });
        }
        let place = |error: AnchorError| match error.line {
            Some(line) => format!("{file}:{line}: {}", error.message),
            None => {
                let anchors: Vec<_> = Source::parse(&text)
                    .map(|source| source.anchors().collect())
                    .unwrap_or_default();
                let anchor = self.anchor.as_deref().unwrap_or_default();
                let hint = suggest::did_you_mean(anchor, anchors.into_iter());
                format!("{file}: {}{hint}", error.message)
            }
        };
        let source = Source::parse(&text).map_err(place)?;
        let caption = match (&self.anchor, source.caption()) {
            (Some(_), _) => None,
            (None, Some(caption)) => Some(caption),
            (None, None) => {
                return Err(format!(
                    "{file}:1: the file has no caption; begin it with one line `//! What it is.`, or show an anchor of it"
                ));
            }
        };
        let lines = source.cut(self.anchor.as_deref()).map_err(place)?;
        let lines = lines.iter().filter(|line| line.shown);
        Ok(Shown {
            caption,
            text: lines.map(|line| format!("{}\n", line.text)).collect(),
        })
    }

    /// The files of the crates that aren't parts, as [`CrateFile`] writes them.
    fn siblings(&self, project: &Project) -> Result<Vec<String>, String> {
        let crates = project
            .source_crates()
            .map_err(|error| format!("{error:#}"))?;
        let mut files = Vec::new();
        for name in crates {
            let below = project.files_below(&format!("listings/{name}"));
            let below = below.map_err(|problem| problem.to_string())?;
            files.extend(
                below
                    .iter()
                    .map(|file| file.trim_start_matches("listings/").to_owned()),
            );
        }
        Ok(files)
    }
}

impl fmt::Display for CrateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.anchor {
            Some(anchor) => write!(f, "{}:{anchor}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    const STORE: &str = "//! Keeps orders.\n\n// ANCHOR: put\npub fn put() {}\n// ANCHOR_END: put\n\npub fn get() {}\n";

    fn shown(argument: &str) -> Result<Shown, String> {
        let book = Scratch::sound();
        book.write("listings/shop/Cargo.toml", "[dependencies]\n");
        book.write("listings/shop/src/lib.rs", "pub mod store;\n");
        book.write("listings/shop/src/store.rs", STORE);
        book.write("listings/shop/examples/step.out", "sold\n");
        let project = Project::open(book.root()).expect("a book");
        CrateFile::parse(argument)?.shown(&project)
    }

    #[test]
    fn a_file_is_shown_whole_or_in_part() {
        let put = shown("shop/src/store.rs:put").expect("it is there");
        assert_eq!((put.caption, &*put.text), (None, "pub fn put() {}\n"));
        let whole = shown("shop/src/store.rs").expect("it is there");
        assert_eq!(whole.caption.as_deref(), Some("Keeps orders."));
        assert_eq!(whole.text, "pub fn put() {}\n\npub fn get() {}\n");
        let printed = shown("shop/examples/step.out").expect("it is there");
        assert_eq!((printed.caption, &*printed.text), (None, "sold\n"));
    }

    #[test]
    fn what_is_not_there_is_reported_with_what_was_meant() {
        for (argument, error) in [
            (
                "shop/src/stor.rs",
                "there is no file `shop/src/stor.rs` (listings/shop/src/stor.rs); did you mean `shop/src/store.rs`?",
            ),
            (
                "shop/src/store.rs:putt",
                "listings/shop/src/store.rs: there is no anchor `putt`; it has `put`; did you mean `put`?",
            ),
            (
                "shop/src/lib.rs",
                "listings/shop/src/lib.rs:1: the file has no caption; begin it with one line `//! What it is.`, or show an anchor of it",
            ),
            // A listing is shown by its own directive.
            (
                "demo/src/bin/hello.rs",
                "there is no file `demo/src/bin/hello.rs` (listings/demo/src/bin/hello.rs)",
            ),
        ] {
            assert_eq!(shown(argument), Err(error.to_owned()));
        }
    }

    #[test]
    fn only_files_below_a_crate_have_names() {
        for bad in [
            "shop",
            "shop/",
            "../a.rs",
            "shop/../a.rs",
            "/a/b.rs",
            "shop/a b",
            "a/b.rs:",
            "a/b.out:x",
        ] {
            assert!(CrateFile::parse(bad).is_err(), "{bad}");
        }
        let file = CrateFile::parse("shop/src/store/sql.rs:put").expect("a name");
        assert_eq!(file.figure_id(), "shop-src-store-sql.put");
        assert_eq!(file.to_string(), "shop/src/store/sql.rs:put");
        assert_eq!(file.file(), "listings/shop/src/store/sql.rs");
    }
}
