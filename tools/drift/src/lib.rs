//! Breaks a copy of the book in every way that the book promises to notice, and demands that it does.
//!
//! The book makes sixteen [promises](promises::PROMISES). For each, [`rows`] knows at least three ways to
//! break it, at places that a seed picks among the pages and listings there are. Each is made in a
//! [copy](copy) of the book; the test that is meant to notice is run; and it must fail, with the words of
//! that very check and the place that was broken. A failure for another reason, a compile error elsewhere,
//! say, does not have those words, and counts as missed.

pub mod breakage;
pub mod check;
pub mod copy;
pub mod promises;
pub mod rows;
pub mod sample;
pub mod seed;

use anyhow::{Result, ensure};
use breakage::Breakage;
use check::{Checks, Outcome};
use copy::Copy;
use model::Project;
use promises::PROMISES;
use sample::Sample;
use std::time::{Duration, Instant};

/// Which breakages to make.
#[derive(Debug, Clone)]
pub struct Options {
    /// Picks the places.
    pub seed: u64,
    /// How many seeds, from that one on.
    pub rounds: u64,
    /// Only these promises, by number; all where none is named.
    pub promises: Vec<usize>,
}

/// What became of one breakage.
#[derive(Debug)]
pub struct Tried {
    /// The breakage.
    pub breakage: Breakage,
    /// Whether it was noticed, and how.
    pub outcome: Outcome,
    /// How long the check took.
    pub took: Duration,
}

impl Tried {
    /// Whether the check noticed it, with its own words and the place.
    pub fn is_caught(&self) -> bool {
        matches!(self.outcome, Outcome::Caught(_))
    }
}

/// Makes the breakages, one after the other, and reports each as it is done.
///
/// # Errors
///
/// The copy cannot be made or built, a check fails on the sound copy already, or there is nothing to break
/// for a promise.
pub fn drift(
    project: &Project,
    options: &Options,
    mut report: impl FnMut(&Tried),
) -> Result<Vec<Tried>> {
    let wanted = |number: usize| options.promises.is_empty() || options.promises.contains(&number);
    eprintln!("Copying the book and building its tests...");
    let copy = Copy::make(project, &runs::target(project).join("drift"))?;
    let target = runs::target(project);
    seed::seed(&target, copy.target(), &model::lock::others(project)?)?;
    let checks = Checks::build(&copy)?;
    let sample = Sample::take(&copy.project()?)?;
    let mut results = Vec::new();
    let mut sound = Vec::new();
    for round in 0..options.rounds {
        let seed = options.seed + round;
        for promise in PROMISES.iter().filter(|promise| wanted(promise.number)) {
            // Every promise has a generator of its own, so that one alone breaks what all together break.
            let number = u64::try_from(promise.number)?;
            let mut rng = fastrand::Rng::with_seed(seed.wrapping_mul(100).wrapping_add(number));
            let breakages = (promise.breakages)(&sample, &mut rng);
            ensure!(
                breakages.len() >= 3,
                "there are only {} ways to break promise {} ({}) in this book, and three are to be tried",
                breakages.len(),
                promise.number,
                promise.breach
            );
            for breakage in breakages {
                let whole = breakage.check.whole();
                if !sound.contains(&whole) {
                    checks.demand_pass(&whole)?;
                    sound.push(whole);
                }
                let started = Instant::now();
                copy.apply(&breakage.edits)?;
                let outcome = checks.run(&breakage);
                copy.restore(&breakage.edits)?;
                let result = Tried {
                    breakage,
                    outcome: outcome?,
                    took: started.elapsed(),
                };
                report(&result);
                results.push(result);
            }
        }
    }
    Ok(results)
}
