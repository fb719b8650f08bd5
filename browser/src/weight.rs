//! How much a page asks of a slow line.

use crate::log::Request;
use crate::sources::Sources;
use flate2::Compression;
use flate2::write::GzEncoder;
use pages::Problem;
use pages::site::Page;
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
    let own = compressed(&folder.join(&page.html));
    let all: usize = weights.iter().map(|(weight, _)| weight).sum();
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

/// The size of a file as servers send it; nothing where it is not there, which the request tells.
fn compressed(file: &Path) -> usize {
    let bytes = std::fs::read(file).unwrap_or_default();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // A Vec takes everything.
    let written = encoder.write_all(&bytes).and_then(|()| encoder.finish());
    written.map_or(bytes.len(), |compressed| compressed.len())
}
