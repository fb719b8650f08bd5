//! The sixteen ways in which a book and its code drift apart.

use crate::breakage::Breakage;
use crate::rows::*;
use crate::snapshot::BookSnapshot;

/// A way in which a book and its code drift apart, which the book promises to notice.
pub struct Promise {
    /// Its number, from 1.
    pub number: usize,
    /// What someone does.
    pub breach: &'static str,
    /// Ways to do it at places that the generator picks.
    pub breakages: fn(&BookSnapshot, &mut fastrand::Rng) -> Vec<Breakage>,
    /// How many ways there are at least, so that none disappears when the book's text changes.
    pub at_least: usize,
    /// How many of them are tried for each seed; none if all of them are. `--all` tries all.
    pub sample: Option<usize>,
}

/// All of them.
pub const PROMISES: &[Promise] = &[
    Promise {
        number: 1,
        breach: "an API in a program on a page is renamed, or a dependency removes it",
        breakages: programs::renamed_apis,
        at_least: 4,
        sample: None,
    },
    Promise {
        number: 2,
        breach: "a program on a page fails when it runs",
        breakages: programs::failures,
        at_least: 5,
        sample: None,
    },
    Promise {
        number: 3,
        breach: "a program prints something else",
        breakages: programs::other_prints,
        at_least: 4,
        sample: None,
    },
    Promise {
        number: 4,
        breach: "an output is edited manually",
        breakages: outputs::edited_outputs,
        at_least: 7,
        sample: None,
    },
    Promise {
        number: 5,
        breach: "a program that must not compile does, or the compiler's message changes",
        breakages: mistakes::fixed_errors,
        at_least: 3,
        sample: None,
    },
    Promise {
        number: 6,
        breach: "a mistake on a page no longer fails",
        breakages: mistakes::fixed_mistakes,
        at_least: 21,
        sample: Some(21),
    },
    Promise {
        number: 7,
        breach: "a listing, an anchor or a directive is misspelled, or an anchor has no code",
        breakages: directives::misspelled_directives,
        at_least: 9,
        sample: None,
    },
    Promise {
        number: 8,
        breach: "a link leads nowhere, or a page moves without a redirect",
        breakages: links::broken_links,
        at_least: 8,
        sample: None,
    },
    Promise {
        number: 9,
        breach: "the prose names an API that does not exist",
        breakages: api_names::unknown_apis,
        at_least: 9,
        sample: None,
    },
    Promise {
        number: 10,
        breach: "a page, a listing, an output, an anchor or a picture is on no page",
        breakages: orphans::orphans,
        at_least: 6,
        sample: None,
    },
    Promise {
        number: 11,
        breach: "code is written where nothing compiles it",
        breakages: prose::hand_written_code,
        at_least: 25,
        sample: None,
    },
    Promise {
        number: 12,
        breach: "a command or a path in the prose does not work",
        breakages: commands::broken_commands,
        at_least: 11,
        sample: None,
    },
    Promise {
        number: 13,
        breach: "a version or a measurement is written or edited manually",
        breakages: numbers::hand_written_numbers,
        at_least: 15,
        sample: None,
    },
    Promise {
        number: 14,
        breach: "the tasks of a program run in another order",
        breakages: programs::other_timelines,
        at_least: 5,
        sample: None,
    },
    Promise {
        number: 15,
        breach: "a script fails, an element is not accessible, or a page needs the network",
        breakages: site::broken_site,
        at_least: 6,
        sample: None,
    },
    Promise {
        number: 16,
        breach: "a dependency's new release breaks any of this, or the weekly run does not try it",
        breakages: releases::new_releases,
        at_least: 9,
        sample: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sixteen_are_there_in_order() {
        let numbers: Vec<_> = PROMISES.iter().map(|promise| promise.number).collect();
        assert_eq!(numbers, (1..=16).collect::<Vec<_>>());
    }
}
