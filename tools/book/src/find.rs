//! `cargo book find`: what the search box would show.

use ::find::Finder;
use anyhow::Result;
use model::Project;

/// Prints the best sections for some words. False: there are none.
pub fn find(project: &Project, words: &str, most: usize) -> Result<bool> {
    let finder = Finder::new(project)?;
    let hits = finder.find(words)?;
    let near = match hits.is_empty() {
        true => finder.nearest(words)?,
        false => Vec::new(),
    };
    match (hits.is_empty(), near.is_empty()) {
        (true, true) => println!("No section has these words. Try fewer or other words."),
        (true, false) => println!("No section has these words. Sections with similar words:"),
        _ => {}
    }
    for (number, hit) in hits.iter().chain(&near).take(most).enumerate() {
        println!("{}. {}\n   {}", number + 1, hit.title, hit.address);
        if !hit.sentence.is_empty() {
            println!("   {}", hit.sentence);
        }
    }
    Ok(!hits.is_empty())
}
