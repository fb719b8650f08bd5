//! The sixteen ways in which a book and its code come apart.

use crate::breakage::Breakage;
use crate::rows::{outside, pages, programs, prose};
use crate::sample::Sample;

/// A way in which a book and its code come apart, and which is promised to be noticed.
pub struct Promise {
    /// Its number, from 1.
    pub number: usize,
    /// What someone does.
    pub breach: &'static str,
    /// Which tests notice.
    pub caught_by: &'static str,
    /// Ways to do it at places that the generator picks.
    pub breakages: fn(&Sample, &mut fastrand::Rng) -> Vec<Breakage>,
}

/// All of them.
pub const PROMISES: &[Promise] = &[
    Promise {
        number: 1,
        breach: "an API in a shown program is renamed, or a dependency removes it",
        caught_by: "outputs, skeptic, manifests",
        breakages: programs::renamed_apis,
    },
    Promise {
        number: 2,
        breach: "a shown program fails when it runs",
        caught_by: "outputs, skeptic",
        breakages: programs::failures,
    },
    Promise {
        number: 3,
        breach: "a program prints something else",
        caught_by: "outputs",
        breakages: programs::other_prints,
    },
    Promise {
        number: 4,
        breach: "a printed output is edited by hand",
        caught_by: "outputs, pages",
        breakages: programs::edited_outputs,
    },
    Promise {
        number: 5,
        breach: "a program that must not compile does, or the compiler's message changes",
        caught_by: "compile_fail",
        breakages: programs::mended_errors,
    },
    Promise {
        number: 6,
        breach: "a mistake that is shown no longer fails",
        caught_by: "outputs, and the listing's own tests",
        breakages: programs::mended_mistakes,
    },
    Promise {
        number: 7,
        breach: "a listing, an anchor or a directive is misspelt, or an anchor is empty",
        caught_by: "pages",
        breakages: pages::misspelt_directives,
    },
    Promise {
        number: 8,
        breach: "a link leads nowhere, or a page moves without a redirect",
        caught_by: "pages",
        breakages: pages::broken_links,
    },
    Promise {
        number: 9,
        breach: "the prose names an API that does not exist",
        caught_by: "api_links",
        breakages: pages::unknown_apis,
    },
    Promise {
        number: 10,
        breach: "a page, a listing, an output, an anchor or a picture is shown nowhere",
        caught_by: "pages",
        breakages: pages::orphans,
    },
    Promise {
        number: 11,
        breach: "code is written by hand where nothing compiles it",
        caught_by: "pages",
        breakages: prose::smuggled_code,
    },
    Promise {
        number: 12,
        breach: "a command or a path in the prose does not work",
        caught_by: "commands",
        breakages: prose::broken_commands,
    },
    Promise {
        number: 13,
        breach: "a version or a measured number is written by hand",
        caught_by: "pages",
        breakages: prose::numbers_by_hand,
    },
    Promise {
        number: 14,
        breach: "the tasks of a program move otherwise",
        caught_by: "timelines",
        breakages: programs::moved_tasks,
    },
    Promise {
        number: 15,
        breach: "a script fails, an element is not for everyone, or a page needs the network",
        caught_by: "browser",
        breakages: outside::broken_site,
    },
    Promise {
        number: 16,
        breach: "a dependency's new release breaks any of this, or the weekly run does not look",
        caught_by: "the weekly run: outputs with newer crates; weekly",
        breakages: outside::new_releases,
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
