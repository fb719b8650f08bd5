//! Maps files of the site to the files of the repository that they were made from.

use model::Project;
use percent_encoding::percent_decode_str;
use render::site::Page;
use std::path::Path;

/// The sources of a site that is served at an address.
pub(crate) struct Sources<'a> {
    pub(crate) project: &'a Project,
    pub(crate) pages: &'a [Page],
    /// The site's address, with a slash at its end.
    pub(crate) origin: &'a str,
}

impl Sources<'_> {
    /// The path of an address in the site; `None` for an address outside.
    pub(crate) fn in_site(&self, address: &str) -> Option<String> {
        let path = address.strip_prefix(self.origin)?;
        let path = path.split(['?', '#']).next()?;
        Some(percent_decode_str(path).decode_utf8_lossy().into_owned())
    }

    /// The source of a file of the site, relative to the book's root. mdBook's own files have no source.
    pub(crate) fn of(&self, in_site: &str) -> Option<String> {
        let is_page = |page: &&Page| page.html == Path::new(in_site);
        if let Some(page) = self.pages.iter().find(is_page) {
            return Some(page.source.clone());
        }
        let plain = without_hash(in_site);
        [in_site, &plain]
            .into_iter()
            .flat_map(|file| [format!("src/{file}"), file.to_owned()])
            .find(|file| self.project.has(file))
    }

    /// The first line of a source with one of these texts, which are tried in order.
    pub(crate) fn first_line<'t>(
        &self,
        source: &str,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> Option<usize> {
        let source = self.project.read(source).ok()?;
        texts
            .into_iter()
            .find_map(|text| lines_with(&source, text).next())
    }

    /// The only line of a source with one of these texts, which are tried in order.
    pub(crate) fn only_line<'t>(
        &self,
        source: &str,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> Option<usize> {
        let source = self.project.read(source).ok()?;
        texts.into_iter().find_map(|text| {
            let mut lines = lines_with(&source, text);
            lines.next().filter(|_| lines.next().is_none())
        })
    }
}

fn lines_with<'s>(source: &'s str, text: &'s str) -> impl Iterator<Item = usize> {
    let lines = source.lines().enumerate();
    lines
        .filter(move |(_, line)| line.contains(text))
        .map(|(number, _)| number + 1)
}

/// mdBook renames `theme/book.css` to `theme/book-0a1b2c3d.css`.
fn without_hash(file: &str) -> String {
    let (stem, ending) = match file.rsplit_once('.') {
        Some(parts) if !parts.1.contains('/') => parts,
        _ => return file.to_owned(),
    };
    let is_hash = |end: &str| end.len() == 8 && end.bytes().all(|b| b.is_ascii_hexdigit());
    match stem.rsplit_once('-') {
        Some((plain, end)) if is_hash(end) => format!("{plain}.{ending}"),
        _ => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_removed_from_file_names() {
        assert_eq!(without_hash("theme/book-0a1b2c3d.css"), "theme/book.css");
        assert_eq!(without_hash("theme/book-dark.css"), "theme/book-dark.css");
        assert_eq!(without_hash("a.b/c"), "a.b/c");
    }

    #[test]
    fn an_ambiguous_text_has_no_line() {
        let book = scratch::Scratch::sound();
        let project = Project::open(book.root()).unwrap();
        book.write("src/page.md", "# One\n\ntwo\n\ntwo three\n");
        let sources = Sources {
            project: &project,
            pages: &[],
            origin: "http://127.0.0.1:1/",
        };
        assert_eq!(sources.only_line("src/page.md", ["two", "three"]), Some(5));
        assert_eq!(sources.first_line("src/page.md", ["two"]), Some(3));
        assert_eq!(sources.only_line("src/page.md", ["two"]), None);
        assert_eq!(sources.only_line("src/none.md", ["two"]), None);
    }
}
