//! `cargo book bless`: accepts what the listings print now.

use anyhow::{Context, Result, bail};
use model::suggest::did_you_mean;
use model::{ProgramId, Project, api, cancel_safety, uses};
use std::fs;
use std::time::Instant;
use verify::published;

/// Runs the named listings, or all, and shows which files changed and how. The APIs that the pages name are
/// looked up only if one of them is new.
pub fn bless(project: &Project, named: Vec<ProgramId>) -> Result<()> {
    let started = Instant::now();
    let mut all = project.listings()?;
    all.extend(project.compile_fail_programs()?);
    // These need a build of Tokio of their own, so they run only if they are named.
    let unstable = project.unstable_programs()?;
    let is_known = |name: &&ProgramId| all.contains(name) || unstable.contains(name);
    if let Some(unknown) = named.iter().find(|name| !is_known(name)) {
        let known: Vec<_> = all
            .iter()
            .chain(&unstable)
            .map(ToString::to_string)
            .collect();
        let hint = did_you_mean(&unknown.to_string(), known.iter().map(String::as_str));
        bail!(
            "there is no listing `{unknown}`: neither {} nor {}{hint}",
            unknown.source(),
            unknown.compile_fail()
        );
    }
    let is_one_by_one = !named.is_empty();
    let names = if is_one_by_one { named } else { all };
    match names.as_slice() {
        [one] => eprintln!("Building and running {one}, with a recorder and without..."),
        many => eprintln!(
            "Building and running {} programs, with a recorder and without...",
            many.len()
        ),
    }
    let mut changed = 0;
    let outcome = runs::bless::bless(project, &names, |change| {
        changed += 1;
        println!("{}\n{}", change.file, change.diff);
    });
    if outcome.is_ok() && has_new_api(project)? {
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
    eprintln!("Finished in {:.1} s", started.elapsed().as_secs_f32());
    Ok(())
}

/// Looks up the APIs that the pages name; returns whether the file with their addresses changed.
pub fn bless_api_links(project: &Project) -> Result<bool> {
    eprintln!(
        "Asking rustdoc for the APIs that the pages name (minutes if it has to document everything first)..."
    );
    let changes = runs::bless::bless_api_links(project)?;
    for change in &changes {
        println!("{}\n{}", change.file, change.diff);
    }
    Ok(!changes.is_empty())
}

/// Adds the addresses of new pages and headings to the list of published addresses.
pub fn bless_addresses(project: &Project) -> Result<()> {
    let (list, new) = published::unlisted(project)?;
    if new.is_empty() {
        println!("No file changed.");
        return Ok(());
    }
    fs::write(project.root().join(published::LIST), list)
        .with_context(|| format!("cannot write {}", published::LIST))?;
    println!("Edited {}", published::LIST);
    Ok(())
}

/// Whether a page or the cancel-safety table names an API whose documentation has not been looked up.
fn has_new_api(project: &Project) -> Result<bool> {
    let known = &api::Map::read(project)?.0;
    let mut named = cancel_safety::named(project).unwrap_or_default();
    for page in uses::pages_below(project, "src") {
        // A page that cannot be read is reported where it is built.
        named.extend(api::named(&project.read(&page).unwrap_or_default()));
    }
    Ok(named.iter().any(|api| !known.contains_key(&api.name)))
}
