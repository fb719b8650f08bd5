//! Breaks a copy of the book in every way that the book promises to notice, and demands that a check notices.
//!
//! The book makes seventeen promises. For each, `promises.toml` and [`rows`] have several ways to break it, at places
//! that a seed picks among the pages and listings. Each breakage is made in a [copy](copy) of the book, the check
//! that must notice it is run, and that check must fail and name the place that was broken. A failure for another
//! reason, such as a compile error in another file, doesn't name that place, and counts as missed.

pub mod breakage;
pub mod check;
pub mod copy;
pub mod promises;
pub mod rows;
pub mod snapshot;
pub mod text;

use anyhow::{Context, Result, bail};
use breakage::Breakage;
use check::{Checks, Outcome};
use copy::Copy;
use fastrand::Rng;
use model::Project;
use promises::promises;
use snapshot::BookSnapshot;
use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Which breakages to make.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Which places are broken; the same seed breaks the same ones
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many seeds to try, from that one on
    #[arg(long, default_value_t = 1)]
    pub rounds: u64,
    /// Fix every mistake, and not only a sample of them
    #[arg(long)]
    pub all: bool,
    /// Break only this promise, by its number; may be given several times
    #[arg(long = "promise", value_name = "NUMBER")]
    pub promises: Vec<usize>,
    /// Make only a share of the breakages: `2/3` is the second of three shares
    #[arg(long, value_name = "K/N", default_value = "1/1")]
    pub share: Share,
}

/// One of several equal shares of the breakages. All shares together are all breakages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Which one, from 1.
    number: usize,
    /// How many shares there are.
    total: usize,
}

impl FromStr for Share {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (number, total) = text.split_once('/').context("write a share as K/N")?;
        let (number, total) = (number.parse()?, total.parse()?);
        if !(1..=total).contains(&number) {
            bail!("there is no share {number} of {total}");
        }
        Ok(Self { number, total })
    }
}

impl Share {
    fn of<T>(self, all: Vec<T>) -> Vec<T> {
        let all = all.into_iter().skip(self.number - 1);
        all.step_by(self.total).collect()
    }
}

/// A breakage that was made, and whether it was noticed.
#[derive(Debug)]
pub struct Trial {
    /// The number of the promise.
    pub promise: usize,
    /// The breakage.
    pub breakage: Breakage,
    /// Whether it was noticed, and how.
    pub outcome: Outcome,
    /// How long the check took.
    pub duration: Duration,
}

impl Trial {
    /// Whether the check noticed it and named the place.
    pub fn is_caught(&self) -> bool {
        matches!(self.outcome, Outcome::Caught(_))
    }
}

/// How far it is.
pub enum Progress<'a> {
    /// The copy is made, and its tests are built.
    Preparing,
    /// A breakage is about to be made.
    Breaking {
        /// Its position, from 1.
        number: usize,
        /// How many there are.
        total: usize,
        /// What is broken.
        breakage: &'a Breakage,
    },
    /// It was made, and the check has been run.
    Done(&'a Trial),
}

/// Makes the breakages, one after the other.
///
/// # Errors
///
/// The copy can't be made or built, a check fails on the unbroken copy, or a promise has fewer ways to break it than it should.
pub fn drift(
    project: &Project,
    options: &Options,
    mut report: impl FnMut(Progress<'_>),
) -> Result<Vec<Trial>> {
    report(Progress::Preparing);
    let target = runs::target(project);
    let copy = Copy::make(project, &target.join("drift/book"))?;
    let planned = plan(&BookSnapshot::load(&copy.project()?)?, options)?;
    let checks = planned.iter().map(|(_, breakage)| &breakage.check);
    let checks = Checks::build(&copy, &target, checks)?;
    let total = planned.len();
    let mut trials = Vec::new();
    let mut passed = BTreeSet::new();
    for (at, (promise, breakage)) in planned.into_iter().enumerate() {
        report(Progress::Breaking {
            number: at + 1,
            total,
            breakage: &breakage,
        });
        let baseline = breakage.check.baseline();
        if !passed.contains(&baseline) {
            checks.demand_pass(&baseline)?;
            passed.insert(baseline);
        }
        let started = Instant::now();
        let outcome = copy.with_edits(&breakage.edits, || checks.run(&breakage))?;
        let trial = Trial {
            promise,
            breakage,
            outcome,
            duration: started.elapsed(),
        };
        report(Progress::Done(&trial));
        trials.push(trial);
    }
    Ok(trials)
}

/// The breakages of all rounds, each once, with the numbers of their promises.
fn plan(snapshot: &BookSnapshot, options: &Options) -> Result<Vec<(usize, Breakage)>> {
    let promises = promises()?;
    let mut planned = Vec::new();
    let mut known = BTreeSet::new();
    for seed in options.seed..options.seed + options.rounds {
        for (number, promise) in (1..).zip(&promises) {
            if !options.promises.is_empty() && !options.promises.contains(&number) {
                continue;
            }
            // Every promise has a generator of its own, so that a single promise is broken as it is among all of them.
            let mut rng =
                Rng::with_seed(seed.wrapping_mul(100).wrapping_add(u64::try_from(number)?));
            for breakage in promise.breakages(number, snapshot, &mut rng, options.all)? {
                if known.insert((number, breakage.what.clone())) {
                    planned.push((number, breakage));
                }
            }
        }
    }
    Ok(options.share.of(planned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breakage::Check;

    #[test]
    fn every_breakage_is_in_one_share() {
        let mut shared = Vec::new();
        for number in 1..=3 {
            let share: Share = format!("{number}/3").parse().expect("a share");
            shared.extend(share.of((0..8).collect()));
        }
        assert_eq!(shared, [0, 3, 6, 1, 4, 7, 2, 5]);
        for wrong in ["", "3", "0/3", "4/3", "1/0", "a/b"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn this_book_can_be_broken_in_all_ways_and_has_the_tests_that_must_notice() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let project = Project::open(root).expect("the book is here");
        let snapshot = BookSnapshot::load(&project).expect("it can be read");
        let options = Options {
            seed: 1,
            rounds: 1,
            all: false,
            promises: Vec::new(),
            share: "1/1".parse().expect("a share"),
        };
        let planned = plan(&snapshot, &options).expect("there is enough to break");
        let numbers: BTreeSet<_> = planned.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=17).collect());
        for (_, breakage) in planned {
            // A test of a listing has the listing's name.
            if let Check::Test {
                file,
                only: Some(test),
            } = breakage.check
                && !test.contains('/')
            {
                let file = format!("tests/{file}.rs");
                let text = project.read(&file).expect("the test file is there");
                assert!(text.contains(&test), "{file} has no test {test}");
            }
        }
    }
}
