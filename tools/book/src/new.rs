//! `cargo book new`: starts a listing.

use anyhow::{Context, Result, ensure};
use model::{ListingName, Project};
use std::fs;

/// Writes the skeleton of a listing, and prints the lines to paste into a page.
pub fn new(project: &Project, name: &ListingName) -> Result<()> {
    let parts = project.parts()?;
    ensure!(
        parts.contains(&name.part),
        "there is no part `{}`; there are: {}. A new part is a crate of its own: see CONTRIBUTING.md",
        name.part,
        parts.join(", ")
    );
    let mut all = project.listings()?;
    all.extend(project.compile_fail_programs()?);
    all.extend(project.unstable_programs()?);
    if let Some(taken) = all.iter().find(|known| known.name == name.name) {
        anyhow::bail!(
            "the name `{}` is taken by `{taken}`; names are unique in the whole book",
            name.name
        );
    }
    ensure!(
        !RESERVED.contains(&name.name.as_str()),
        "`{}` cannot be the name of a program: cargo or the book's tools need it; take another one",
        name.name
    );
    let file = name.source();
    let path = project.to_write(&file)?;
    let folder = path.parent().context("a listing lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut new = fs::File::create_new(&path).with_context(|| format!("cannot make {file}"))?;
    std::io::Write::write_all(&mut new, SKELETON.as_bytes())
        .with_context(|| format!("cannot write {file}"))?;
    println!(
        "Wrote {file}

1. Let it show one idea: cargo run --bin {bin}
2. Accept its output:    cargo book bless {name}
3. Paste into a page:

{{{{#listing {name}:pattern}}}}
{{{{#output {name}}}}}
{{{{#timeline {name}}}}}
",
        bin = name.name
    );
    Ok(())
}

/// Names that cargo keeps for its own folders, and that of this tool.
const RESERVED: &[&str] = &["book", "build", "deps", "examples", "incremental"];

/// A whole program in virtual time, with a shown part, a test on the paused clock and one on the
/// multi-threaded runtime.
const SKELETON: &str = r#"//! What this listing shows, in one line: its caption.

use tokio::time::{Duration, Instant, sleep};

// ANCHOR: pattern
/// What it does, and what is lost when its future is dropped.
async fn settle(invoice: u32) -> u32 {
    sleep(Duration::from_millis(100)).await;
    invoice
}
// ANCHOR_END: pattern

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let invoice = settle(7).await;
    println!(
        "{:>4} ms  invoice {invoice} settled",
        start.elapsed().as_millis()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn takes_a_tenth_of_a_second() {
        let start = Instant::now();
        assert_eq!(settle(7).await, 7);
        assert_eq!(start.elapsed(), Duration::from_millis(100));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn works_on_several_threads() {
        assert_eq!(settle(7).await, 7);
    }
}
"#;
