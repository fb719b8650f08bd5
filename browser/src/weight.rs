//! How much a page asks of a slow line.

use crate::log::Request;
use crate::sources::Sources;
use flate2::Compression;
use flate2::write::GzEncoder;
use model::Problem;
use render::site::Page;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// The page itself, compressed, in bytes.
const PAGE: usize = 25_000;

/// All that is needed to read it, fonts aside, compressed, in bytes.
const ALL: usize = 60_000;

/// How often the browser asks for something.
const REQUESTS: usize = 10;

/// What is too heavy about a page, after what it asked for.
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
    // What the search knows grows with the book, and has a limit of its own (tests/finding.rs).
    let index = search_index(&folder.join(&page.html));
    let own = compressed(&folder.join(&page.html)).saturating_sub(index);
    let all: usize = weights.iter().map(|(weight, _)| weight).sum();
    let all = all.saturating_sub(index);
    let mut problems = Vec::new();
    if own > PAGE {
        problems.push(format!(
            "the page takes {own} bytes, compressed, and may take {PAGE}; split it, or show less on it"
        ));
    }
    if all > ALL {
        let mut heaviest = weights;
        heaviest.sort_unstable_by(|a, b| b.cmp(a));
        let heaviest: Vec<_> = heaviest
            .iter()
            .take(3)
            .map(|(weight, file)| format!("{file} {weight}"))
            .collect();
        problems.push(format!(
            "what is needed to read the page takes {all} bytes, compressed, and may take {ALL}; the heaviest: {}",
            heaviest.join(", ")
        ));
    }
    if files.len() > REQUESTS {
        let names: Vec<_> = files.iter().map(String::as_str).collect();
        problems.push(format!(
            "the page asks for {} files, and may ask for {REQUESTS}: {}",
            files.len(),
            names.join(", ")
        ));
    }
    problems
        .into_iter()
        .map(|message| Problem::of(&page.source, message))
        .collect()
}

/// What the index of the search takes on a page, compressed; nothing on the pages that have none.
fn search_index(file: &Path) -> usize {
    let html = std::fs::read_to_string(file).unwrap_or_default();
    let index = html
        .split_once("id=\"search-index\">")
        .and_then(|(_, rest)| rest.split_once("</script>"));
    index.map_or(0, |(index, _)| gzip(index.as_bytes()))
}

/// The size of a file as servers send it; nothing where it is not there, which the request tells.
fn compressed(file: &Path) -> usize {
    gzip(&std::fs::read(file).unwrap_or_default())
}

fn gzip(bytes: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // A Vec takes everything.
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.map_or(bytes.len(), |compressed| compressed.len())
}
