//! Counts what the book shows, and so what its tests verify.

use crate::problem::Problem;
use crate::project::Project;
use crate::source::Source;
use crate::uses;
use crate::{api, cancel_safety, measured};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a page can ask the number of, with what it counts.
pub const KINDS: &[(&str, &str)] = &[
    ("pages", "pages"),
    ("blocks", "blocks of Rust on the pages"),
    ("listings", "programs that must run"),
    ("mistakes", "programs among them that show a mistake"),
    (
        "unstable",
        "programs that need a build of Tokio with `tokio_unstable`",
    ),
    ("outputs", "outputs of programs"),
    ("timelines", "recordings of how the tasks of a program move"),
    ("compiler-messages", "messages of the compiler"),
    ("cancel-safety", "calls in the cancel-safety table"),
    ("measurements", "times that were measured"),
    ("apis", "APIs that the prose names"),
    ("api-links", "links to their documentation"),
];

/// How many of a kind there are.
///
/// # Errors
///
/// There is no such kind, or a file cannot be read.
pub fn count(project: &Project, kind: &str) -> Result<usize, Problem> {
    let failed = |error: anyhow::Error| Problem::of("listings", format!("{error:#}"));
    let pages = uses::pages_below(project, "src");
    Ok(match kind {
        "pages" => pages
            .iter()
            .filter(|page| *page != "src/SUMMARY.md")
            .count(),
        "blocks" => {
            let pages = uses::pages(project);
            let directives = pages.iter().flat_map(|page| &page.directives);
            let directives = directives.filter_map(|placed| placed.directive.as_ref().ok());
            directives.filter(|it| it.is_rust()).count()
        }
        "listings" => project.listings().map_err(failed)?.len(),
        "mistakes" => {
            let mut mistakes = 0;
            for name in project.listings().map_err(failed)? {
                let text = project.read(&name.source())?;
                mistakes += usize::from(Source::parse(&text).is_ok_and(|it| it.is_mistake()));
            }
            mistakes
        }
        "unstable" => project.unstable_programs().map_err(failed)?.len(),
        "outputs" => {
            let listings = project.listings().map_err(failed)?;
            listings
                .iter()
                .filter(|name| project.has(&name.output()))
                .count()
        }
        "timelines" => {
            let listings = project.listings().map_err(failed)?;
            listings
                .iter()
                .filter(|name| project.has(&name.timeline()))
                .count()
        }
        "compiler-messages" => project.compile_fail_programs().map_err(failed)?.len(),
        "cancel-safety" => {
            if project.has(cancel_safety::DATA) {
                cancel_safety::rows(project)?.len()
            } else {
                0
            }
        }
        "measurements" => {
            let mut times = 0;
            for name in measured::names(project) {
                times += measured::record(project, &name)?.times.len();
            }
            times
        }
        "apis" => {
            let all = apis(project);
            let names: BTreeSet<_> = all.iter().map(|(name, _)| name).collect();
            names.len()
        }
        "api-links" => apis(project).iter().map(|(_, links)| links).sum(),
        other => {
            let kinds: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
            let message = format!(
                "nothing called `{other}` is counted; there are {}",
                kinds.join(", ")
            );
            return Err(Problem::of("src", message));
        }
    })
}

/// The APIs that each page names, with how many links on it lead to each; the cancel-safety tables included.
fn apis(project: &Project) -> Arc<Vec<(String, usize)>> {
    project.once("src", || {
        let mut apis = Vec::new();
        for page in uses::pages(project).iter() {
            apis.extend(api::links(&cancel_safety::filled(project, page)));
        }
        apis
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::{PAGE, Scratch};

    #[test]
    fn everything_that_is_shown_is_counted() {
        let book = Scratch::sound();
        book.write(
            "src/page.md",
            format!(
                "{PAGE}\n{{{{#compile_fail demo/bad}}}}\n\n[`Vec`] and [`Vec`], [`Vec::len`]\n"
            ),
        );
        book.write("src/other.md", "# Other\n");
        book.write("listings/demo/compile_fail/bad.rs", "//! Bad.\n");
        book.write("listings/demo/unstable/dump.rs", "//! A dump.\n");
        book.listing("wrong", "", "");
        book.write("listings/demo/src/bin/wrong.timeline.json", "{}");
        book.write("listings/demo/src/bin/wrong.rs", "//! Wrong: it leaks.\n");
        book.write(
            cancel_safety::DATA,
            "[[locks]]\ncalls = \"a lock\"\nverdict = \"safe\"\nlost = \"nothing\"\nshown_by = \"locked\"\n",
        );
        book.write("benches/ways.toml", "");
        let time = |way| {
            format!(
                "[[time]]\nrow = \"all\"\nway = \"{way}\"\nmedian = 1.0\nleast = 1.0\nmost = 1.0\n"
            )
        };
        book.write(
            &measured::record_file("ways"),
            measured::with_checksum(&format!(
                "source = \"\"\ndate = \"\"\nmachine = \"\"\nrust = \"\"\nrounds = 1\n[crates]\n{}{}",
                time("slow"),
                time("quick")
            )),
        );
        let project = Project::open(book.root()).expect("a book");
        let counts = [
            ("pages", 2),
            ("blocks", 2),
            ("listings", 2),
            ("mistakes", 1),
            ("unstable", 1),
            ("outputs", 2),
            ("timelines", 1),
            ("compiler-messages", 1),
            ("cancel-safety", 1),
            ("measurements", 2),
            ("apis", 2),
            ("api-links", 3),
        ];
        for (kind, number) in counts {
            assert_eq!(count(&project, kind), Ok(number), "{kind}");
        }
        assert_eq!(KINDS.len(), counts.len());
        let error = count(&project, "page").expect_err("there is no such kind");
        assert!(error.message.contains("there are pages, blocks"), "{error}");
    }
}
