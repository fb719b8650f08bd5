//! Promise: an API that the prose names exists, in the version that Cargo.lock holds, and its link leads
//! to its documentation.
//!
//! rustdoc looks up every name; `listings/api-links.toml` keeps what it found, so that building the book does not wait for it.
//! `cargo book bless --api-links` writes that file. Which pages of the documentation only send their readers on is remembered
//! (`listings/api-redirects.toml`); `cargo test --test api_links -- --ignored` makes the documentation and looks there.

use model::api::{BLESS, MAP, Map};
use model::{Problem, Project};
use runs::api_links::{Found, look_up, look_up_in_documentation};
use scratch::assert_no_problems;
use std::sync::LazyLock;
use verify::identifiers;

static PROJECT: LazyLock<Project> =
    LazyLock::new(|| Project::open(env!("CARGO_MANIFEST_DIR")).expect("the book is here"));

static FOUND: LazyLock<Found> =
    LazyLock::new(|| look_up(&PROJECT).expect("rustdoc looks up the APIs"));

#[test]
fn every_api_that_a_page_links_exists() {
    assert_no_problems(Ok::<_, Problem>(FOUND.problems.clone()));
    assert!(!FOUND.map.0.is_empty(), "no page names an API");
}

#[test]
fn the_links_lead_to_the_documentation_of_the_locked_versions() {
    assert_no_problems(Ok::<_, Problem>(differences(&FOUND)));
}

#[test]
#[ignore = "makes the documentation of all dependencies, which takes minutes; .ci/run and the weekly run do it"]
fn the_links_lead_to_pages_of_the_documentation() {
    let found = look_up_in_documentation(&PROJECT).expect("the documentation can be made");
    assert_no_problems(Ok::<_, Problem>(found.problems.clone()));
    assert_no_problems(Ok::<_, Problem>(differences(&found)));
}

/// Where the committed map differs from what rustdoc found.
fn differences(found: &Found) -> Vec<Problem> {
    let text = PROJECT.read(MAP).expect("there is a map");
    let committed = Map::read(&PROJECT).expect("it is a map");
    let line_of = |name: &str| {
        let start = format!("{name:?} = ");
        1 + text
            .lines()
            .take_while(|line| !line.starts_with(&start))
            .count()
    };
    let stale = committed.0.iter().filter_map(|(name, place)| {
        let why = match found.map.0.get(name) {
            Some(found) if found == place => return None,
            Some(found) => format!(
                "the documentation of `{name}` is at {} of {}",
                found.page, found.package
            ),
            None => format!("no page names `{name}`, or it does not exist"),
        };
        Some(Problem::at(
            MAP,
            line_of(name),
            format!("{why}; `{BLESS}` writes this file"),
        ))
    });
    let names = found.map.0.keys();
    let missing = names
        .filter(|name| !committed.0.contains_key(*name))
        .map(|name| {
            Problem::of(
                MAP,
                format!("`{name}` is missing; `{BLESS}` writes this file"),
            )
        });
    let edited = (text != committed.to_toml())
        .then(|| Problem::of(MAP, format!("was edited; `{BLESS}` writes this file")));
    stale.chain(missing).chain(edited).collect()
}

#[test]
fn every_identifier_is_verified() {
    assert_no_problems(identifiers::unverified_identifiers(&PROJECT, &FOUND.items));
}
