//! How a listing's tasks move: recorded from a run of it, and compared with the file beside it.
//!
//! What runs is a copy of the listing with marks in it (see [`copy`]), in a workspace of its own (see
//! [`Workspace`]), with a recorder linked in; the crate `timeline` works out what the recorder's log means. A listing has no
//! timeline if its run isn't exact or is too large for a picture; a [`Refused`] says why.

pub mod copy;

use crate::build::{Built, Mode, Program, build_in, errors_of};
use crate::run::{Limits, Misbehaved, run_with};
use crate::workspace::{Flavor, Workspace, module};
use ::model::{ProgramId, Project};
use anyhow::{Context, Result, bail};
use copy::{Function, Places, Site};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use timeline::differences::{differences, moved_line};
use timeline::format::Span;
use timeline::log::{Entry, FILE, Place};
use timeline::{Refused, Timeline, model};

/// Differences beyond these follow from the first ones, and hide them.
const MOST_DIFFERENCES: usize = 8;

/// Copies of listings, built.
#[derive(Debug, Default)]
pub struct Copies {
    /// The copies that compile, and what the compiler said of the others.
    pub built: Built,
    /// Where the tasks and functions of each listing are.
    pub places: BTreeMap<ProgramId, Places>,
    /// The listings that can't be recorded, by their text alone.
    pub without: BTreeMap<ProgramId, Refused>,
}

/// Builds the copies of these listings.
///
/// They're built apart from the listings, because Tokio's reports need `--cfg tokio_unstable`. The book itself must not be
/// built with that, or a listing that uses an unstable API by accident would pass.
///
/// Fails if the workspace cannot be written, a listing is not Rust, or cargo cannot be started.
pub fn build(project: &Project, names: &[ProgramId]) -> Result<Copies> {
    let mut copies = Copies::default();
    let asked: BTreeSet<_> = names.iter().collect();
    let workspace = Workspace::write(project, Flavor::Recorded, |name, text| {
        if let Some(why) = never_recorded(text) {
            if asked.contains(name) {
                copies.without.insert(name.clone(), why);
            }
            return Ok(None);
        }
        match copy::marked(text, &module(&name.name)) {
            Ok(marked) => {
                if asked.contains(name) {
                    copies.places.insert(name.clone(), copy::places(&marked)?);
                }
                Ok(Some(marked))
            }
            Err(error) if asked.contains(name) => Err(error.context(name.source())),
            // A mistake in another listing is reported when that one is asked for.
            Err(_) => Ok(None),
        }
    })?;
    let recorded: Vec<_> = copies.places.keys().cloned().collect();
    copies.built = build_in(&workspace, &recorded, Mode::Run)?;
    Ok(copies)
}

/// Why a listing has no timeline, if its text says it all: the clock of its runtime isn't paused.
fn never_recorded(text: &str) -> Option<Refused> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if !has(&["tokio"]) {
        return Some(Refused::NoRuntime);
    }
    if has(&["start_paused", "pause()"]) {
        return None;
    }
    // The default of `#[tokio::main]` is several threads.
    Some(match has(&["current_thread"]) {
        true => Refused::NotPaused,
        false => Refused::MultiThread,
    })
}

impl Copies {
    /// Runs a listing's copy and records how its tasks move. The copy runs twice, because a run that isn't the same every
    /// time has no timeline. `printed` is what the listing itself prints.
    ///
    /// # Errors
    ///
    /// The outer error: the copy does not compile, cannot be run, or does not end. The inner one: why there
    /// is no timeline.
    pub fn record(
        &self,
        project: &Project,
        name: &ProgramId,
        printed: &str,
    ) -> Result<Result<Timeline, Refused>> {
        if let Some(why) = self.without.get(name) {
            return Ok(Err(why.clone()));
        }
        let copy = self.built.programs.get(name).with_context(|| {
            format!(
                "the copy that is to be recorded: {}",
                errors_of(&self.built, name, &name.source())
            )
        })?;
        let places = self.places.get(name).cloned().unwrap_or_default();
        let first = record_once(project, copy, &places, printed)?;
        if first.is_err() {
            return Ok(first);
        }
        let second = record_once(project, copy, &places, printed)?;
        Ok(if first == second {
            first
        } else {
            Err(Refused::Differs)
        })
    }
}

fn record_once(
    project: &Project,
    copy: &Program,
    places: &Places,
    printed: &str,
) -> Result<Result<Timeline, Refused>> {
    let log = tempfile::NamedTempFile::new().context("cannot make a file for a log")?;
    let environment = [(FILE, log.path())];
    let ran = run_with(copy, project.root(), Limits::default(), &environment)?;
    let text = fs::read_to_string(log.path()).context("cannot read a recorder's log")?;
    let entries: Vec<Entry> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .context("a recorder's log is not what it should be")?;
    let mut timeline = model::timeline(&entries, |place, main| site(&places.sites, place, main));
    if let Ok(timeline) = &mut timeline {
        match ran {
            Ok(ran) if ran.transcript == printed => {}
            // Its log lines, say, which are the recorder's while it records.
            Ok(_) | Err(Misbehaved::PrintedNothing { .. }) => {
                return Ok(Err(Refused::PrintsOtherwise));
            }
            Err(misbehaved) => bail!("while it was recorded, the listing {misbehaved}"),
        }
        name_after_function(timeline, &places.functions);
    }
    Ok(timeline)
}

/// Names the tasks that a library spawned (`collect` does, into a `JoinSet`) after the functions that they
/// run, by the line of their first wait.
fn name_after_function(timeline: &mut Timeline, functions: &[Function]) {
    for task in timeline.tasks.iter_mut().filter(|task| task.line.is_none()) {
        let first = task.spans.iter().find_map(|span| match span {
            Span::Wait { on, .. } => on.first(),
            Span::Run { .. } => None,
        });
        let line = first.and_then(|on| on.through.first().copied().or(on.line));
        let around = line.and_then(|line| {
            let mut functions = functions.iter().rev();
            functions.find(|function| function.lines.contains(&line))
        });
        if let Some(function) = around {
            task.name.clone_from(&function.name);
        }
    }
}

/// What is spawned at a place, or given to a runtime there.
fn site(sites: &[Site], place: &Place, main: bool) -> Option<(String, u32)> {
    let in_line = || sites.iter().filter(|site| site.line == place.line);
    let here = in_line().find(|site| site.columns.contains(&place.column));
    let site = match main {
        // What `#[tokio::main]` makes of `main` is said to stand somewhere in its body.
        true => here.or(sites.iter().find(|site| site.is_main)),
        false => here.or(in_line().find(|site| !site.is_main)),
    };
    match site {
        Some(site) => Some((site.name.clone(), site.line)),
        None => Some(("task".to_owned(), place.line)),
    }
}

/// Says what is wrong with a run, or nothing where its tasks move as the file beside the listing says, or
/// where there is neither a timeline nor such a file.
///
/// # Errors
///
/// A message that names the listing, the line where its tasks move otherwise, and the pages that show it;
/// with the differences, and what to do.
pub fn check(
    project: &Project,
    name: &ProgramId,
    recorded: &Result<Timeline, Refused>,
) -> Result<(), String> {
    let (source, file) = (name.source(), name.timeline());
    let shown = crate::compare::shown(project, name);
    let run = match (recorded, project.has(&file)) {
        (Err(_), false) => return Ok(()),
        (Err(why), true) => {
            return Err(format!(
                "{source}: {file} shows how its tasks move, but they cannot be recorded: {why}{shown}\n\
                 If that is right, `cargo book bless {name}` removes the file."
            ));
        }
        (Ok(_), false) => {
            return Err(format!(
                "{source}: its tasks can be recorded, but {file} is missing{shown}\n\
                 `cargo book bless {name}` writes it."
            ));
        }
        (Ok(run), true) => run,
    };
    let text = project.read(&file).map_err(|problem| problem.to_string())?;
    let again = format!("`cargo book bless {name}` writes it again.");
    let expected = Timeline::parse(&text)
        .map_err(|why| format!("{file}: is not a timeline{shown}: {why}\n{again}"))?;
    if expected == *run {
        return match run.to_json() {
            Ok(json) if json == text => Ok(()),
            _ => Err(format!("{file}: is hand-written{shown}\n{again}")),
        };
    }
    let short = format!("{}.rs", name.name);
    let found = differences(&expected, run, &short);
    let line = match found.first() {
        Some(_) => found.iter().find_map(|difference| difference.line),
        None => moved_line(&expected, run),
    };
    let place = match line {
        Some(line) => format!("{source}:{line}"),
        None => source,
    };
    if found.is_empty() {
        return Err(format!(
            "{place}: its tasks move as {file} says, but on other lines{shown}\n{again}"
        ));
    }
    let mut message = format!("{place}: its tasks move otherwise than {file} says{shown}\n\n");
    for difference in found.iter().take(MOST_DIFFERENCES) {
        message.push_str(&format!("- {}\n", difference.text));
    }
    if let more @ 1.. = found.len().saturating_sub(MOST_DIFFERENCES) {
        message.push_str(&format!("- and {more} more\n"));
    }
    message.push_str(&format!(
        "\nIf they are right to, `cargo book bless {name}` records them again."
    ));
    Err(message)
}
