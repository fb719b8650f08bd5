//! `cargo book bless`: accepts what the listings print now.

use anyhow::{Result, bail};
use model::{ListingName, Project};

/// Runs the named listings, or all, looks up the APIs that the pages name, and shows which files changed
/// and how.
pub fn bless(project: &Project, named: Vec<ListingName>) -> Result<()> {
    let mut all = project.listings()?;
    all.extend(project.compile_fail_programs()?);
    // These take a build of Tokio of their own, and so are run only where they are named.
    let unstable = project.unstable_programs()?;
    if let Some(unknown) = named
        .iter()
        .find(|name| !all.contains(name) && !unstable.contains(name))
    {
        bail!(
            "there is no listing `{unknown}`: neither {} nor {}",
            unknown.source(),
            unknown.compile_fail()
        );
    }
    let is_one_by_one = !named.is_empty();
    let names = if is_one_by_one { named } else { all };
    eprintln!("Building and running {} listings...", names.len());
    let mut changed = 0;
    let outcome = runs::bless::bless(project, &names, |change| {
        changed += 1;
        println!("{}\n{}", change.file, change.diff);
    });
    if outcome.is_ok() {
        changed += usize::from(bless_api_links(project)?);
    }
    match changed {
        0 => println!("No file changed."),
        1 => println!("1 file changed."),
        n => println!("{n} files changed."),
    }
    let without_timeline = outcome?;
    if is_one_by_one {
        for (name, why) in without_timeline {
            println!("{name} has no timeline: {why}.");
        }
    }
    Ok(())
}

/// Only looks up the APIs that the pages name; returns whether where they are documented changed.
pub fn bless_api_links(project: &Project) -> Result<bool> {
    let change = runs::bless::bless_api_links(project)?;
    if let Some(change) = &change {
        println!("{}\n{}", change.file, change.diff);
    }
    Ok(change.is_some())
}
