//! Where the links of a page lead, and how to change them for a file with another name.

use crate::tree::{Element, Node, each};
use model::address::resolve;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeSet;
use std::path::Path;

/// What is escaped in the address of a file: everything but letters, digits, and what separates or is usual in paths.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b':')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The address of a file on this machine, as a browser opens it; `None` if its path is not absolute or not Unicode.
pub fn file_url(path: &Path) -> Option<String> {
    let path = path.is_absolute().then(|| path.to_str())??;
    let path = path.replace('\\', "/");
    let path = utf8_percent_encode(path.trim_start_matches('/'), ESCAPED);
    Some(format!("file:///{path}"))
}

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To another site, or to a mail address.
    Outside,
    /// To a file of the site, and perhaps to an element in it.
    Inside {
        /// The file, relative to the site's root: `tasks/waiting.html`.
        file: String,
        /// The id of an element there; empty if the link has none.
        fragment: String,
    },
}

/// Where a link on a page (`tasks/waiting.html`) leads.
pub fn target(page: &str, to: &str) -> Target {
    let is_scheme = |scheme: &str| scheme.chars().all(|c| c.is_ascii_alphanumeric());
    let has_scheme = to
        .split_once(':')
        .is_some_and(|(scheme, _)| is_scheme(scheme));
    if has_scheme || to.starts_with("//") {
        return Target::Outside;
    }
    let (path, fragment) = to.split_once('#').unwrap_or((to, ""));
    let file = if path.is_empty() {
        page.to_owned()
    } else {
        resolve(page, path)
    };
    Target::Inside {
        file,
        fragment: fragment.to_owned(),
    }
}

/// The relative path from a file to the site's root: `../` for `tasks/waiting.html`.
pub fn path_to_root(file: &str) -> String {
    "../".repeat(file.matches('/').count())
}

/// The ids of the elements in a page.
pub fn ids(nodes: &[Node]) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    each(nodes, &mut |element: &Element| {
        ids.extend(element.attribute("id").map(str::to_owned));
    });
    ids
}

/// Sets a link's address; without an address, the link becomes a span with the same text.
pub fn set_href(element: &mut Element, to: Option<String>) {
    match to {
        Some(to) => {
            for (name, value) in &mut element.attributes {
                if name == "href" {
                    value.clone_from(&to);
                }
            }
        }
        None => {
            element.attributes.retain(|(name, _)| name != "href");
            "span".clone_into(&mut element.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::rows;

    #[test]
    fn the_address_of_a_file_is_escaped() {
        let url = |path: &str| file_url(Path::new(path));
        if cfg!(unix) {
            let address = Some("file:///a%20b/%C3%BC%23%3F.html".to_owned());
            assert_eq!(url("/a b/ü#?.html"), address);
        }
        assert_eq!(url("relative.html"), None);
    }

    #[test]
    fn links_are_resolved_from_their_page() {
        for [to, expected] in rows(include_str!("links.txt")) {
            let target = match target("tasks/waiting.html", &to) {
                Target::Inside { file, fragment } => format!("{file}#{fragment}"),
                Target::Outside => "outside".to_owned(),
            };
            assert_eq!(target, expected, "{to}");
        }
        assert_eq!(path_to_root("tasks/waiting.html"), "../");
    }
}
