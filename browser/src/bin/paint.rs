//! How soon a reader sees something: the book's pages, the same pages in mdBook's stock theme, and an empty
//! page, in turn, in one run on one machine.
//!
//! `cargo run --package browser --bin paint` prints the median first contentful paint of each.

use anyhow::{Context, Result, ensure};
use browser::{Browser, View, Visit};
use model::Project;
use render::site;
use std::fs;
use std::path::Path;
use std::process::Command;

/// How often each page is opened.
const ROUNDS: usize = 15;

/// The pages that are compared.
const PAGES: [&str; 3] = [
    "tasks/waiting.html",
    "tasks/limiting.html",
    "timelines.html",
];

/// What mdBook reads in place of book.toml: no theme, no style sheets and no scripts but its own.
const STOCK: [(&str, &str); 3] = [
    ("MDBOOK_OUTPUT__HTML__THEME", "target/paint/no-theme"),
    ("MDBOOK_OUTPUT__HTML__ADDITIONAL_CSS", "[]"),
    ("MDBOOK_OUTPUT__HTML__ADDITIONAL_JS", "[]"),
];

fn main() -> Result<()> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let project = Project::open(root)?;
    if let Some(folder) = std::env::args_os().nth(1) {
        // Called by itself, with the stock theme in its environment.
        site::build(&project, Path::new(&folder))?;
        return Ok(());
    }
    let folder = root.join("target/paint");
    let [ours, stock] = ["ours", "stock"].map(|name| folder.join(name));
    eprintln!("Building the book in its own look and in mdBook's...");
    fs::create_dir_all(folder.join("no-theme"))?;
    fs::create_dir_all(&ours).with_context(|| format!("cannot make {}", ours.display()))?;
    site::build(&project, &ours)?;
    let status = Command::new(std::env::current_exe()?)
        .arg(&stock)
        .envs(STOCK)
        .status()?;
    ensure!(
        status.success(),
        "the book cannot be built in mdBook's look"
    );
    let empty = "<!DOCTYPE html><html lang=\"en\"><title>Empty</title><p>Empty.</p></html>\n";
    fs::write(ours.join("empty.html"), empty)?;

    let mut browser = Browser::start()?;
    println!("| Page | Its own look | mdBook's | Ratio |\n|---|---|---|---|");
    for page in PAGES {
        eprintln!("Opening {page} {ROUNDS} times in each look...");
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (times, folder) in times.iter_mut().zip([&ours, &stock]) {
                times.push(paint(&mut browser, folder, page)?);
            }
        }
        let [ours, stock] = times.map(median);
        println!(
            "| {page} | {ours:.0} ms | {stock:.0} ms | {:.2} |",
            ours / stock
        );
    }
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(paint(&mut browser, &ours, "empty.html")?);
    }
    println!("| an empty page | {:.0} ms | | |", median(times));
    Ok(())
}

/// The first contentful paint of a page that the browser has never seen, in milliseconds.
fn paint(browser: &mut Browser, folder: &Path, page: &str) -> Result<f64> {
    let first = "new Promise((done) => { const look = () => {
        const paint = performance.getEntriesByName('first-contentful-paint')[0];
        if (paint) done(paint.startTime); else setTimeout(look, 10); }; look(); })";
    browser.visit(folder, page, View::DESKTOP, async |visit: &Visit<'_>| {
        // Each visit has a server of its own, and so an empty cache.
        visit.ask(first).await
    })
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
