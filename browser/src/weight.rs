//! The weight of a page, which matters on a slow line.

use crate::log::Request;
use crate::sources::Sources;
use flate2::Compression;
use flate2::write::GzEncoder;
use model::Problem;
use render::site::Page;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// The limit for the page itself, compressed, in bytes.
const MAX_PAGE: usize = 25_000;

/// The limit for the page and all its files except fonts, compressed, in bytes.
const MAX_ALL: usize = 60_000;

/// The limit for the number of files.
const MAX_FILES: usize = 10;

/// Which limits a page exceeds with these requests.
pub(crate) fn problems(
    sources: &Sources<'_>,
    folder: &Path,
    page: &Page,
    requests: &[Request],
) -> Vec<Problem> {
    let files: BTreeSet<String> = requests
        .iter()
        .filter_map(|request| sources.in_site(&request.address))
        .collect();
    let weights: Vec<(usize, &String)> = files
        .iter()
        .filter(|file| !file.ends_with(".woff2"))
        .map(|file| (compressed(&folder.join(file)), file))
        .collect();
    // The search index grows with the book, and has a limit of its own (tests/browser/finding.rs).
    let index = search_index(&folder.join(&page.html));
    let own = compressed(&folder.join(&page.html)).saturating_sub(index);
    let all: usize = weights.iter().map(|(weight, _)| weight).sum();
    let all = all.saturating_sub(index);
    let mut problems = Vec::new();
    if own > MAX_PAGE {
        problems.push(format!(
            "the page is too heavy: {own} bytes compressed; at most {MAX_PAGE} are allowed, so split it, or show less on it"
        ));
    }
    if all > MAX_ALL {
        let mut heaviest = weights;
        heaviest.sort_unstable_by(|a, b| b.cmp(a));
        let heaviest: Vec<_> = heaviest
            .iter()
            .take(3)
            .map(|(weight, file)| format!("{file} {weight}"))
            .collect();
        problems.push(format!(
            "the page needs {all} bytes, compressed; at most {MAX_ALL} are allowed; the heaviest files: {}",
            heaviest.join(", ")
        ));
    }
    if files.len() > MAX_FILES {
        let names: Vec<_> = files.iter().map(String::as_str).collect();
        problems.push(format!(
            "the page needs {} files; at most {MAX_FILES} are allowed: {}",
            files.len(),
            names.join(", ")
        ));
    }
    problems
        .into_iter()
        .map(|message| Problem::of(&page.source, message))
        .collect()
}

/// The compressed size of the search index on a page; 0 without one.
fn search_index(file: &Path) -> usize {
    let html = std::fs::read_to_string(file).unwrap_or_default();
    let index = html
        .split_once("id=\"search-index\">")
        .and_then(|(_, rest)| rest.split_once("</script>"));
    index.map_or(0, |(index, _)| gzip(index.as_bytes()))
}

/// The compressed size of a file; 0 if it is missing, which its request reports.
fn compressed(file: &Path) -> usize {
    gzip(&std::fs::read(file).unwrap_or_default())
}

fn gzip(bytes: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // A Vec takes everything.
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.map_or(bytes.len(), |compressed| compressed.len())
}
