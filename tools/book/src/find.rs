//! `cargo book find`: what the search box would show.

use ::find::Finder;
use anyhow::Result;
use model::Project;

/// Prints the best sections for some words. False: there are none.
pub fn find(project: &Project, words: &str, most: usize) -> Result<bool> {
    let hits = Finder::new(project)?.find(words)?;
    if hits.is_empty() {
        println!("No section has these words. Try fewer words.");
    }
    for (number, hit) in hits.iter().take(most).enumerate() {
        println!("{}. {}\n   {}", number + 1, hit.title, hit.address);
    }
    Ok(!hits.is_empty())
}
