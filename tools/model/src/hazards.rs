//! The hazards that a listing has met, by the names of its tests, and those that it needn't meet.

use crate::problem::Problem;
use crate::program::ProgramId;
use crate::project::Project;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Something that happens to services in production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hazard {
    /// The future is dropped.
    Cancel,
    /// The caller's code panics.
    Panic,
    /// A peer says nothing.
    Silence,
    /// The consumer or peer is slower than its input.
    Slow,
    /// There are more callers than places.
    Overload,
    /// The operation fails.
    Failure,
    /// Shutdown is requested.
    Stop,
    /// The owner is aborted or dropped.
    OwnerGone,
    /// Several threads run it in parallel.
    Threads,
    /// Input is empty, single, huge, doubled, or not ASCII.
    Edges,
    /// The same message or call arrives twice.
    Again,
    /// The process is killed.
    Crash,
    /// Ticks are missed, the clock jumps, durations are tiny.
    Clock,
}

impl Hazard {
    /// All of them, in the order in which a page lists them.
    pub const ALL: [Self; 13] = [
        Self::Cancel,
        Self::Panic,
        Self::Silence,
        Self::Slow,
        Self::Overload,
        Self::Failure,
        Self::Stop,
        Self::OwnerGone,
        Self::Threads,
        Self::Edges,
        Self::Again,
        Self::Crash,
        Self::Clock,
    ];

    /// Its name: the first word of a test that meets it, and its name in `hazards.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Panic => "panic",
            Self::Silence => "silence",
            Self::Slow => "slow",
            Self::Overload => "overload",
            Self::Failure => "failure",
            Self::Stop => "stop",
            Self::OwnerGone => "owner_gone",
            Self::Threads => "threads",
            Self::Edges => "edges",
            Self::Again => "again",
            Self::Crash => "crash",
            Self::Clock => "clock",
        }
    }

    /// What a page says of a listing that was tested against it.
    fn phrase(self) -> &'static str {
        match self {
            Self::Cancel => "cancellation",
            Self::Panic => "a panic",
            Self::Silence => "a silent peer",
            Self::Slow => "a slow peer or consumer",
            Self::Overload => "more callers than places",
            Self::Failure => "failing operations",
            Self::Stop => "shutdown",
            Self::OwnerGone => "its owner dropped",
            Self::Threads => "several threads",
            Self::Edges => "edge cases",
            Self::Again => "the same call twice",
            Self::Crash => "a killed process",
            Self::Clock => "timer edge cases",
        }
    }
}

/// A test of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Test<'a> {
    /// The name of its function.
    pub name: &'a str,
    /// The hazard that it's named after, if it is.
    pub hazard: Option<Hazard>,
    /// Whether it drops the future after every number of polls.
    pub at_every_poll: bool,
}

/// The tests in a listing's text, in order.
pub fn tests(text: &str) -> Vec<Test<'_>> {
    let is_attribute =
        |line: &str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    let mut tests: Vec<Test<'_>> = Vec::new();
    let mut is_next = false;
    for line in text.lines().map(str::trim) {
        if is_attribute(line) {
            is_next = true;
        } else if is_next && let Some((_, after)) = line.split_once("fn ") {
            is_next = false;
            let name = after.split(['(', '<']).next().unwrap_or_default();
            let is_met = |hazard: &Hazard| {
                let rest = name.strip_prefix(hazard.name());
                rest.is_some_and(|rest| rest.starts_with('_'))
            };
            tests.push(Test {
                name,
                hazard: Hazard::ALL.into_iter().find(is_met),
                at_every_poll: false,
            });
        } else if line.contains("at_every_poll(")
            && let Some(test) = tests.last_mut()
        {
            test.at_every_poll = true;
        }
    }
    tests
}

/// What a page says below a listing of the hazards that its tests met; `None` if there are none.
pub fn tested(text: &str) -> Option<String> {
    let tests = tests(text);
    let of = |hazard| tests.iter().filter(move |test| test.hazard == Some(hazard));
    let met = Hazard::ALL
        .into_iter()
        .filter(|hazard| of(*hazard).count() > 0);
    let phrases: Vec<_> = met
        .map(|hazard| match hazard {
            Hazard::Cancel if of(hazard).any(|test| test.at_every_poll) => {
                "cancellation at every poll"
            }
            _ => hazard.phrase(),
        })
        .collect();
    (!phrases.is_empty()).then(|| format!("Tested against: {}.", phrases.join(", ")))
}

/// What `listings/<part>/hazards.toml` says of a part's listings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declarations {
    /// Listings that show what something does, and that no reader is meant to copy.
    #[serde(default)]
    pub demonstrations: Vec<String>,
    /// Pages (`tasks/waiting`) that show a demonstration first, because they recommend no program.
    #[serde(default)]
    pub pages_without_pattern: Vec<String>,
    /// Patterns that haven't met all hazards yet.
    #[serde(default)]
    pub open: Vec<String>,
    /// Hazards that don't apply to some listings.
    #[serde(default)]
    pub not_applicable: Vec<NotApplicable>,
    /// The hazard that each mistake succumbs to.
    #[serde(default)]
    pub wrong: BTreeMap<String, Wrong>,
}

/// Hazards that don't apply to some listings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotApplicable {
    /// The hazards.
    pub hazards: Vec<Hazard>,
    /// Why they don't apply.
    pub because: String,
    /// The listings.
    pub listings: Vec<String>,
}

/// What a mistake succumbs to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wrong {
    /// The hazard.
    pub hazard: Hazard,
    /// The listing (of this part, or as `part/name`) that survives it.
    pub fixed: String,
}

impl Declarations {
    /// The file with a part's declarations.
    pub fn file(part: &str) -> String {
        format!("listings/{part}/hazards.toml")
    }

    /// The listing that fixes a mistake of this part.
    pub fn fixed(&self, mistake: &ProgramId) -> Option<ProgramId> {
        let wrong = self.wrong.get(&mistake.name)?;
        Some(ProgramId::in_part(&mistake.part, &wrong.fixed))
    }

    /// Reads a part's declarations; without a file, there are none.
    ///
    /// # Errors
    ///
    /// The file can't be read, or isn't such a table; the problem names its line.
    pub fn read(project: &Project, part: &str) -> Result<Self, Problem> {
        let file = Self::file(part);
        if !project.has(&file) {
            return Ok(Self::default());
        }
        let text = project.read(&file)?;
        toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = 1 + text[..start].matches('\n').count();
            Problem::at(&file, line, error.message())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = r#"
fn cancel_is_no_test() {}
#[cfg(test)]
mod tests {
    #[tokio::test(start_paused = true)]
    async fn cancel_gives_the_permit_back() {
        at_every_poll(async |cancel| {}).await;
    }

    #[test]
    #[should_panic(expected = "x")]
    fn owner_gone_leaves_no_task() {}

    #[test]
    fn panics_are_reported() {}
}
"#;

    #[test]
    fn a_test_meets_the_hazard_that_its_name_starts_with() {
        let tests = tests(LISTING);
        let hazards: Vec<_> = tests.iter().map(|test| (test.name, test.hazard)).collect();
        let expected = [
            ("cancel_gives_the_permit_back", Some(Hazard::Cancel)),
            ("owner_gone_leaves_no_task", Some(Hazard::OwnerGone)),
            ("panics_are_reported", None),
        ];
        assert_eq!(hazards, expected);
    }

    #[test]
    fn a_page_says_what_the_tests_met() {
        let line = "Tested against: cancellation at every poll, its owner dropped.";
        assert_eq!(tested(LISTING).as_deref(), Some(line));
        let without = LISTING.replace("at_every_poll(", "sometimes(");
        let line = "Tested against: cancellation, its owner dropped.";
        assert_eq!(tested(&without).as_deref(), Some(line));
        assert_eq!(tested("fn main() {}"), None);
    }
}
