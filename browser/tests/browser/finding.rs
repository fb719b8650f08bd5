//! Promise: the search box works by keyboard, without a network and as a file, and its index stays small. (What it finds is tested
//! in tests/find.rs.)

use crate::scenes::Scenes;
use crate::shared::ROOT;
use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use model::Project;
use render::find::{search, sections};
use std::io::Write;

#[test]
fn a_reader_finds_by_keyboard_on_every_page_and_without_a_network() -> Result<()> {
    Scenes::parse(include_str!("scenes/finding.txt")).play_all()
}

/// The size of a text as servers send it.
fn compressed(text: &str) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(text.as_bytes())
        .expect("a Vec takes everything");
    encoder.finish().expect("a Vec takes everything").len()
}

#[test]
fn the_search_takes_less_than_150_kilobytes() -> Result<()> {
    let project = Project::open(ROOT)?;
    let mut size = compressed(&search::index(&sections::all(&project)?).to_string());
    for script in ["src/minisearch.js", "src/search.js", "src/find.js"] {
        size += compressed(&project.read(script)?);
    }
    assert!(
        size < 150_000,
        "the index and its scripts take {size} bytes, compressed, and may take 150,000"
    );
    Ok(())
}
