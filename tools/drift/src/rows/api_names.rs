//! Names of APIs: all that the prose names exist.

use super::inserted;
use crate::breakage::{Breakage, Check, Edit};
use crate::snapshot::BookSnapshot;
use crate::text::{Line, pick, regex, substituted};
use fastrand::Rng;
use pages::api::MAP;

/// Promise 9.
pub fn unknown_apis(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let exists = || Check::one("api_links", "every_api_that_a_page_links_exists");
    let is_checked = || {
        Check::one(
            "api_links",
            "every_name_between_backticks_is_checked_by_something",
        )
    };
    let map = snapshot.file(MAP);
    let mut breakages = Vec::new();
    breakages.extend(substituted(
        rng,
        snapshot.page_lines(),
        r"\[`(\w+(?:::\w+)*)`\]([^(\[]|$)",
        "[`${1}::renamed`]${2}",
        "links an API that doesn't exist",
        exists(),
    ));
    // A dependency renames the method; the page and the map are as before.
    let method = regex(r"\]\[(\w+::\w+)\]");
    let links = snapshot
        .page_lines()
        .filter(|line| method.is_match(line.text));
    if let Some(line) = pick(rng, links)
        && let Some(found) = method.captures(line.text)
    {
        let renamed = line
            .text
            .replacen(&found[0], &format!("][{}_removed]", &found[1]), 1);
        let entry = format!("\"{}\" =", &found[1]);
        let renamed_entry = map
            .text
            .replace(&entry, &format!("\"{}_removed\" =", &found[1]));
        let breakage = line.broken("links an API that a release removed", &renamed, exists());
        breakages.push(breakage.with_edits([Edit::write(MAP, renamed_entry)]));
    }
    let has_address = |line: &Line<'_>| line.text.contains(".html");
    breakages.extend(substituted(
        rng,
        map.lines().filter(has_address),
        r"\.html",
        "_old.html",
        "leads elsewhere",
        Check::one(
            "api_links",
            "the_links_lead_to_the_documentation_of_the_locked_versions",
        ),
    ));
    for block in [
        "Call `JoinSet::join_everything` here.",
        "Call `tokio::task::spawn_many` here.",
        "Call `Semaphore::acquire_twice` here.",
        "Call `join_nxt` here.",
        "Call JoinSet::join_everything here.",
    ] {
        breakages.extend(inserted(snapshot, rng, block, 0, is_checked()));
    }
    let captions = snapshot
        .listings
        .iter()
        .filter_map(|listing| listing.source.line(1));
    breakages.extend(substituted(
        rng,
        captions,
        "$",
        " See `JoinSet::join_nxt`.",
        "is a caption that names an API that doesn't exist",
        is_checked(),
    ));
    breakages
}
