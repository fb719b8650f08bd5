//! Programs: they compile, run, and do what the pages say.

use super::outputs_test;
use crate::breakage::{Breakage, Check, Edit};
use crate::snapshot::{BookSnapshot, Listing};
use crate::text::{Line, Text, pick, regex};
use fastrand::Rng;
use pages::listing::ListingName;

/// The lines of all programs that a reader sees, without their tests.
fn visible_lines(snapshot: &BookSnapshot) -> Vec<(&Listing, Line<'_>)> {
    let mut lines = Vec::new();
    for listing in &snapshot.listings {
        let prefix = format!("{}:", listing.name);
        let anchors: Vec<&str> = snapshot
            .uses_of("listing")
            .filter_map(|used| used.argument.strip_prefix(&prefix))
            .collect();
        let mut inside = anchors.is_empty();
        for line in program_lines(&listing.source) {
            let mark = line.text.trim().trim_start_matches("// ");
            if let Some(name) = mark.strip_prefix("ANCHOR: ") {
                inside |= anchors.contains(&name);
            } else if let Some(name) = mark.strip_prefix("ANCHOR_END: ") {
                inside &= !anchors.contains(&name);
            } else if inside && !line.text.trim_start().starts_with("//") {
                lines.push((listing, line));
            }
        }
    }
    lines
}

/// The lines of a program, without its tests.
fn program_lines(source: &Text) -> impl Iterator<Item = Line<'_>> {
    source
        .lines()
        .take_while(|line| !line.text.contains("#[cfg(test)]"))
}

/// The line that opens the body of a program's `main`.
fn main_line(source: &Text) -> Option<Line<'_>> {
    source
        .lines()
        .skip_while(|line| !line.text.contains("fn main("))
        .find(|line| line.text.ends_with('{'))
}

/// One of these listings gets one more statement, as the first of its `main`. Its source and the statement's line are
/// the place.
fn with_statement<'a>(
    rng: &mut Rng,
    listings: impl Iterator<Item = &'a Listing>,
    what: &str,
    statement: &str,
) -> Option<(&'a Listing, Breakage)> {
    let mains = listings.filter_map(|listing| Some((listing, main_line(&listing.source)?)));
    let (listing, main) = pick(rng, mains)?;
    let place = main.place_below(1);
    let edit = main.followed_by(&format!("    {statement}"));
    let check = outputs_test(&listing.name);
    Some((
        listing,
        Breakage::new(format!("{place} {what}"), edit, check, place),
    ))
}

/// Promise 1.
pub fn renamed_apis(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let visible = visible_lines(snapshot);
    let imports = snapshot.listings.iter().flat_map(|listing| {
        let lines = listing.source.lines();
        lines.map(move |line| (listing, line))
    });
    let imports: Vec<_> = imports
        .filter(|(_, line)| line.text.starts_with("use "))
        .collect();
    let renamed = [
        (
            &visible,
            r"\.([a-z][a-z_]{3,})\(",
            ".${1}_renamed(",
            "calls a renamed method",
        ),
        (
            &visible,
            r"\b([A-Z]\w+)::([a-z_]+)\(",
            "${1}::${2}_renamed(",
            "calls a renamed function",
        ),
        (
            &imports,
            r"^(use (?:tokio|futures)\S*?::\{?)(\w+)\b",
            "${1}${2}Renamed",
            "imports a renamed type",
        ),
    ];
    let renamed = renamed
        .into_iter()
        .filter_map(|(lines, expression, renamed, what)| {
            let expression = regex(expression);
            let fitting = lines
                .iter()
                .filter(|(_, line)| expression.is_match(line.text));
            let (listing, line) = pick(rng, fitting)?;
            let new = expression.replace(line.text, renamed);
            Some(line.broken(what, &new, outputs_test(&listing.name)))
        });
    let mut breakages: Vec<_> = renamed.collect();
    breakages.extend(missing_feature(snapshot, rng));
    breakages
}

/// A feature that programs need is missing in the workspace's manifest, and so in the manifests that pages show.
fn missing_feature(snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    let manifest = snapshot.file("Cargo.toml");
    let features = [
        ("join-map", "JoinMap"),
        ("codec", "tokio_util::codec"),
        ("test-util", "start_paused"),
    ];
    let (feature, used_as) = pick(rng, features)?;
    let mut users = snapshot.listings.iter();
    let part = &users.find(|it| it.source.text.contains(used_as))?.name.part;
    let expression = regex(&format!(
        r#"^(tokio.*)(?:, "{feature}"|"{feature}", )(.*)$"#
    ));
    let mut lines = manifest.lines();
    let line = lines.find(|line| expression.is_match(line.text))?;
    let check = Check::one("manifests", "the_shown_manifests_are_enough");
    let without = expression.replace(line.text, "${1}${2}");
    let breakage = line.broken(&format!("lacks the feature {feature}"), &without, check);
    let reported = breakage.reported_at(format!("listings/{part}/Cargo.toml"));
    Some(reported.with_words("compile"))
}

/// Promise 2.
pub fn failures(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let mut breakages = Vec::new();
    for (what, statement) in [
        ("panics", "panic!(\"an order is lost\");"),
        ("asserts something false", "assert_eq!(1 + 1, 3);"),
        (
            "asserts something false where nothing notices the panic",
            "let _ = std::thread::spawn(|| assert_eq!(1 + 1, 3)).join();",
        ),
    ] {
        let broken = with_statement(rng, snapshot.listings.iter(), what, statement);
        breakages.extend(broken.map(|(_, breakage)| breakage));
    }
    let exit = "std::process::exit(3);";
    if let Some((listing, breakage)) =
        with_statement(rng, snapshot.listings.iter(), "exits with an error", exit)
    {
        // An exit has no line.
        let breakage = breakage.reported_at(&listing.source.file);
        breakages.push(breakage.with_words("exit status: 3"));
    }
    let on_pages = snapshot.listings.iter().filter(|listing| {
        let name = listing.name.to_string();
        let mut uses = snapshot.uses_of("listing");
        uses.any(|used| used.listings().next() == Some(&name))
    });
    if let Some((listing, mut breakage)) = with_statement(
        rng,
        on_pages,
        "panics in the program on the page",
        "panic!(\"x\");",
    ) {
        let name = listing.name.to_string();
        breakage.check = Check::one("skeptic", &name);
        breakages.push(breakage.reported_at(name));
    }
    breakages
}

/// Promise 3.
pub fn other_prints(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let word = regex(r#"^(\s*println!\(".*?)\b([a-z]{3,})\b([^"{}]*"\S*)$"#);
    let mut printed = Vec::new();
    for listing in &snapshot.listings {
        let output = listing.output.as_ref().map_or("", |output| &output.text);
        printed.extend(listing.source.lines().filter_map(|line| {
            let found = word.captures(line.text)?;
            output.contains(&found[2]).then_some((listing, line))
        }));
    }
    let mut breakages = Vec::new();
    if let Some((listing, line)) = pick(rng, &printed) {
        let other = line.replaced(Some(&word.replace(line.text, "${1}${2}s${3}")));
        breakages.push((
            *listing,
            line.breakage("prints another word", other, outputs_test(&listing.name)),
        ));
    }
    if let Some((listing, line)) = pick(rng, &printed) {
        let twice = line.followed_by(line.text);
        breakages.push((
            *listing,
            line.breakage("is printed twice", twice, outputs_test(&listing.name)),
        ));
    }
    let more = "println!(\"one more line\");";
    let with_output = snapshot.listings.iter().filter(|it| it.output.is_some());
    breakages.extend(with_statement(
        rng,
        with_output,
        "prints one more line",
        more,
    ));
    let mut breakages: Vec<_> = breakages
        .into_iter()
        .map(|(listing, breakage)| breakage.reported_at(listing.name.output()))
        .collect();
    if let Some(name) = pick(rng, &snapshot.unstable)
        && let source = snapshot.file(name.unstable())
        && let Some(main) = main_line(&source)
    {
        let edit = main.followed_by(&format!("    {more}"));
        breakages.push(unstable("prints one more line", name, edit));
    }
    breakages
}

/// A change to a program that needs `--cfg tokio_unstable`, or to its output, after which the two differ.
pub(super) fn unstable(what: &str, name: &ListingName, edit: Edit) -> Breakage {
    let what = format!("{} {what}", edit.file);
    let check = Check::one("unstable", name.to_string());
    Breakage::new(what, edit, check, name.unstable_output())
}

/// Promise 14: changes that a listing's output doesn't show.
pub fn other_timelines(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let recorded: Vec<&Listing> = snapshot
        .listings
        .iter()
        .filter(|listing| snapshot.project.has(&listing.name.timeline()))
        // The number of tasks is in the output of this one.
        .filter(|listing| !listing.source.text.contains("num_alive_tasks"))
        .collect();
    let check = |name: &ListingName| Check::one("timelines", name.to_string());
    let mut breakages = Vec::new();
    for (what, statement) in [
        (
            "yields to other tasks first",
            "tokio::task::yield_now().await;",
        ),
        (
            "spawns one more task",
            "let _ = tokio::spawn(async {}).await;",
        ),
        (
            "leaves a task behind",
            "drop(tokio::spawn(std::future::pending::<()>()));",
        ),
    ] {
        let is_async = |it: &&&Listing| it.source.text.contains("async fn main(");
        let with_async_main = recorded.iter().filter(is_async).copied();
        if let Some((listing, mut breakage)) = with_statement(rng, with_async_main, what, statement)
        {
            breakage.check = check(&listing.name);
            breakages.push(breakage.reported_at(listing.name.timeline()));
        }
    }
    if let Some(listing) = pick(rng, recorded) {
        let timeline = snapshot.file(listing.name.timeline());
        let time = regex(r#""ends":(\d+)"#);
        let edited = time.replacen(&timeline.text, 2, "\"ends\":9${1}");
        breakages.push(Breakage::new(
            format!("a time in {} is edited", timeline.file),
            Edit::write(&timeline.file, edited),
            check(&listing.name),
            &timeline.file,
        ));
    }
    if let Some(used) = pick(rng, snapshot.uses_of("timeline"))
        && let Some(name) = used.listings().last()
        && let Ok(name) = ListingName::parse(name)
        && let Some(line) = snapshot.line_of(used)
    {
        let removed = Edit::remove(name.timeline());
        let check = super::pages_test("a_reader_sees_each_program_whole_and_as_it_is");
        breakages.push(line.breakage("draws a timeline that is removed", removed, check));
    }
    breakages
}
