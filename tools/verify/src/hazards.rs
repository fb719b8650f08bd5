//! Hazards: each program that the book recommends was attacked with everything that applies to it.

use crate::failed;
use model::directive::Directive;
use model::hazards::{Declarations, Hazard, Test, tests};
use model::problem::Problem;
use model::program::{ProgramId, ProgramKind};
use model::project::Project;
use model::source::Source;
use model::uses::{self, Page};
use std::collections::{BTreeMap, BTreeSet};

/// A listing, as far as hazards are concerned.
struct Listing {
    text: String,
    is_mistake: bool,
}

type Listings = BTreeMap<ProgramId, Listing>;

/// Hazards that a pattern neither meets in a test nor is excused from, mistakes that no hazard is named for, and
/// declarations that don't fit the listings.
///
/// # Errors
///
/// A listing can't be read.
pub fn find(project: &Project) -> Result<Vec<Problem>, Problem> {
    let failed = failed("listings");
    let mut listings = Listings::new();
    for name in project.listings().map_err(&failed)? {
        let text = project.read(&name.source())?;
        let is_mistake = Source::parse(&text).is_ok_and(|source| source.is_mistake());
        listings.insert(name, Listing { text, is_mistake });
    }
    let mut problems = Vec::new();
    let mut demonstrations = BTreeSet::new();
    let mut fixed = Vec::new();
    let mut excused = BTreeMap::new();
    for part in project.parts().map_err(&failed)? {
        let declared = match Part::read(project, &part, &listings) {
            Ok(declared) => declared,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        problems.extend(declared.problems());
        demonstrations.extend(declared.ids(&declared.says.demonstrations));
        let pages = declared.says.pages_without_pattern.iter();
        excused.extend(pages.map(|page| (page.clone(), declared.file.clone())));
        let twins = declared.says.wrong.values();
        fixed.extend(twins.map(|wrong| (declared.file.clone(), declared.id(&wrong.fixed))));
    }
    for (file, id) in fixed {
        if demonstrations.contains(&id) {
            let message = format!("`{id}` fixes a mistake, so it's no demonstration");
            problems.push(Problem::of(file, message));
        }
    }
    for page in uses::pages(project).iter() {
        let stem = page.file.trim_start_matches("src/").trim_end_matches(".md");
        let excused = excused.remove(stem);
        problems.extend(recommended(page, &listings, &demonstrations, excused));
    }
    for (page, file) in excused {
        let message = format!("`pages_without_pattern` names {page}, which isn't a page");
        problems.push(Problem::of(file, message));
    }
    Ok(problems)
}

/// A page recommends the first of its programs that isn't a mistake. `excused` is the file that says that it recommends none.
fn recommended(
    page: &Page,
    listings: &Listings,
    demonstrations: &BTreeSet<ProgramId>,
    excused: Option<String>,
) -> Option<Problem> {
    let shown = page
        .directives
        .iter()
        .filter_map(|placed| match &placed.directive {
            Ok(Directive::Program(ProgramKind::Listing, shown)) => Some((placed.line, &shown.id)),
            _ => None,
        });
    let mut right = shown.filter(|(_, id)| listings.get(id).is_some_and(|it| !it.is_mistake));
    let first = right.next().filter(|(_, id)| demonstrations.contains(id));
    match (first, excused) {
        (Some((line, id)), None) => {
            let file = Declarations::file(&id.part);
            let message = format!(
                "the page recommends `{id}`, its first program, so that's no demonstration; if the page recommends none, \
                 add it to `pages_without_pattern` in {file}"
            );
            Some(Problem::at(&page.file, line, message))
        }
        (None, Some(file)) => {
            let message = format!(
                "`pages_without_pattern` names {}, whose first program is no demonstration",
                page.file
            );
            Some(Problem::of(file, message))
        }
        _ => None,
    }
}

/// A part's listings and declarations.
struct Part<'a> {
    name: &'a str,
    file: String,
    says: Declarations,
    all: &'a Listings,
}

impl<'a> Part<'a> {
    fn read(project: &Project, name: &'a str, all: &'a Listings) -> Result<Self, Problem> {
        Ok(Self {
            name,
            file: Declarations::file(name),
            says: Declarations::read(project, name)?,
            all,
        })
    }

    fn id(&self, name: &str) -> ProgramId {
        ProgramId::in_part(self.name, name)
    }

    fn ids(&self, names: &[String]) -> Vec<ProgramId> {
        names.iter().map(|name| self.id(name)).collect()
    }

    fn problem(&self, message: String) -> Problem {
        Problem::of(&self.file, message)
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = self.names();
        for (id, listing) in self.all.iter().filter(|(id, _)| id.part == self.name) {
            let is_declared = |names: &[String]| names.contains(&id.name);
            if listing.is_mistake {
                problems.extend(self.mistake(id, listing));
            } else if !is_declared(&self.says.demonstrations) {
                problems.extend(self.pattern(id, listing));
            }
        }
        problems
    }

    /// Names that mean nothing, or the wrong kind of listing, and reasons that are none.
    fn names(&self) -> Vec<Problem> {
        let Declarations {
            demonstrations,
            open,
            not_applicable,
            wrong,
            pages_without_pattern: _,
        } = &self.says;
        let excused = not_applicable.iter().flat_map(|it| &it.listings);
        let fixed = wrong.values().map(|wrong| &wrong.fixed);
        let sound = demonstrations.iter().chain(excused).chain(fixed);
        let sound = sound.map(|name| (name, Some(false)));
        let wrong = wrong.keys().map(|name| (name, Some(true)));
        let open = open.iter().map(|name| (name, None));
        let mut problems = Vec::new();
        for (name, must_be_mistake) in sound.chain(wrong).chain(open) {
            match (self.all.get(&self.id(name)), must_be_mistake) {
                (None, _) => problems.push(self.problem(format!("there is no listing `{name}`"))),
                (Some(listing), Some(expected)) if listing.is_mistake != expected => {
                    let is = if expected { "isn't" } else { "is" };
                    let message = format!("the caption of `{name}` {is} `Wrong: ...`");
                    problems.push(self.problem(message));
                }
                _ => {}
            }
        }
        for group in not_applicable {
            if group.because.split_whitespace().count() < 3 {
                let message = format!("`because = {:?}` gives no reason", group.because);
                problems.push(self.problem(message));
            }
        }
        problems
    }

    /// Why a hazard doesn't apply to a listing.
    fn excuse(&self, id: &ProgramId, hazard: Hazard) -> bool {
        let mut groups = self.says.not_applicable.iter();
        groups.any(|it| it.hazards.contains(&hazard) && it.listings.contains(&id.name))
    }

    fn pattern(&self, id: &ProgramId, listing: &Listing) -> Vec<Problem> {
        let met: BTreeMap<Hazard, Test<'_>> = tests(&listing.text)
            .into_iter()
            .filter_map(|test| Some((test.hazard?, test)))
            .collect();
        let mut problems = Vec::new();
        let mut unmet = Vec::new();
        for hazard in Hazard::ALL {
            let name = hazard.name();
            match (met.get(&hazard), self.excuse(id, hazard)) {
                (Some(test), true) => {
                    let message = format!(
                        "`{id}` meets the hazard `{name}` in its test `{}`, and says that it doesn't apply",
                        test.name
                    );
                    problems.push(self.problem(message));
                }
                (None, false) => unmet.push(name),
                _ => {}
            }
        }
        let is_open = self.says.open.contains(&id.name);
        if is_open && unmet.is_empty() {
            let message = format!("`{id}` has met all hazards; remove it from `open`");
            problems.push(self.problem(message));
        } else if !is_open && !unmet.is_empty() {
            let message = format!(
                "no test meets the hazards {}; name tests after them (`fn {}_...`), or say in {} why they don't apply",
                unmet.join(", "),
                unmet[0],
                self.file
            );
            problems.push(Problem::of(id.source(), message));
        }
        problems
    }

    /// What is wrong with a mistake's hazard: its test shows the harm, and the fixed listing passes the same test.
    fn mistake(&self, id: &ProgramId, listing: &Listing) -> Option<Problem> {
        let is_open = self.says.open.contains(&id.name);
        let Some(wrong) = self.says.wrong.get(&id.name) else {
            let message = format!(
                "no hazard is named for this mistake; add it to [wrong] in {}",
                self.file
            );
            return (!is_open).then(|| Problem::of(id.source(), message));
        };
        if is_open {
            return Some(self.problem(format!("`{id}` has a hazard; remove it from `open`")));
        }
        let fixed = self.all.get(&self.id(&wrong.fixed))?;
        let is_met = |test: &Test<'_>| test.hazard == Some(wrong.hazard);
        let passed: Vec<_> = tests(&fixed.text).into_iter().filter(is_met).collect();
        let mut failing = tests(&listing.text).into_iter().filter(is_met);
        let is_shared = |test: Test<'_>| passed.iter().any(|it| it.name == test.name);
        let shared = failing.any(is_shared);
        let message = format!(
            "`{id}` and `{}` have no test `{}_...` of the same name: one shows the harm, the other survives it",
            wrong.fixed,
            wrong.hazard.name()
        );
        (!shared).then(|| self.problem(message))
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use expect_test::expect;
    use model::hazards::Hazard;
    use model::project::Project;
    use scratch::{Scratch, render};

    fn test(name: &str) -> String {
        format!("    #[test]\n    fn {name}() {{}}\n")
    }

    fn listing(caption: &str, tests: &[&str]) -> String {
        let tests: String = tests.iter().map(|name| test(name)).collect();
        format!("//! {caption}\nfn main() {{}}\n#[cfg(test)]\nmod tests {{\n{tests}}}\n")
    }

    fn found(files: &[(&str, String)]) -> String {
        let book = Scratch::sound();
        book.remove("listings/demo/src/bin/hello.rs");
        for (file, text) in files {
            book.write(file, text);
        }
        let project = Project::open(book.root()).expect("it's a book");
        render(find(&project))
    }

    const ALL_BUT_STOP: &str = r#"
[[not_applicable]]
hazards = ["cancel", "panic", "silence", "slow", "overload", "failure", "owner_gone", "threads", "edges", "again", "crash", "clock"]
because = "it only adds numbers"
listings = ["sound"]
"#;

    #[test]
    fn each_hazard_is_met_or_excused() {
        let source = "listings/demo/src/bin/sound.rs";
        let declarations = "listings/demo/hazards.toml";
        let met = listing("Adds.", &["stop_is_quick"]);
        let sound = [
            (source, met.clone()),
            (declarations, ALL_BUT_STOP.to_owned()),
        ];
        assert_eq!(found(&sound), "");
        let all = [
            // The test is renamed, the excuse is gone, the reason is none, the hazard has both.
            found(&[
                (source, listing("Adds.", &["stops_quickly"])),
                (declarations, ALL_BUT_STOP.to_owned()),
            ]),
            found(&[
                (source, met.clone()),
                (declarations, ALL_BUT_STOP.replace("\"crash\", ", "")),
            ]),
            found(&[
                (source, met.clone()),
                (
                    declarations,
                    ALL_BUT_STOP.replace("it only adds numbers", "no"),
                ),
            ]),
            found(&[
                (
                    source,
                    listing("Adds.", &["stop_is_quick", "edges_are_sums"]),
                ),
                (declarations, ALL_BUT_STOP.to_owned()),
            ]),
            found(&[
                (source, met.clone()),
                (
                    declarations,
                    format!("open = [\"sound\", \"lost\"]\n{ALL_BUT_STOP}"),
                ),
            ]),
            found(&[(source, met), (declarations, "opened = []\n".to_owned())]),
        ];
        expect![[r#"
            listings/demo/src/bin/sound.rs: no test meets the hazards stop; name tests after them (`fn stop_...`), or say in listings/demo/hazards.toml why they don't apply
            listings/demo/src/bin/sound.rs: no test meets the hazards crash; name tests after them (`fn crash_...`), or say in listings/demo/hazards.toml why they don't apply
            listings/demo/hazards.toml: `because = "no"` gives no reason
            listings/demo/hazards.toml: `demo/sound` meets the hazard `edges` in its test `edges_are_sums`, and says that it doesn't apply
            listings/demo/hazards.toml: there is no listing `lost`
            listings/demo/hazards.toml: `demo/sound` has met all hazards; remove it from `open`
            listings/demo/hazards.toml:1: unknown field `opened`, expected one of `demonstrations`, `pages_without_pattern`, `open`, `not_applicable`, `wrong`
        "#]].assert_eq(&all.concat());
        assert_eq!(Hazard::ALL.len(), 13);
    }

    #[test]
    fn a_mistake_names_its_hazard_and_a_fix_that_passes_the_same_test() {
        let source = "listings/demo/src/bin/bad.rs";
        let fixed = "listings/demo/src/bin/sound.rs";
        let declarations = "listings/demo/hazards.toml";
        let wrong = "[wrong]\nbad = { hazard = \"stop\", fixed = \"sound\" }\n";
        let files = |test: &str, more: &str| {
            [
                (source, listing("Wrong: adds.", &[test])),
                (fixed, listing("Adds.", &["stop_is_quick"])),
                (declarations, format!("{more}{ALL_BUT_STOP}{wrong}")),
            ]
        };
        assert_eq!(found(&files("stop_is_quick", "")), "");
        let mut undeclared = files("stop_is_quick", "");
        undeclared[2].1 = ALL_BUT_STOP.to_owned();
        let all = [
            found(&files("stop_takes_an_hour", "")),
            found(&undeclared),
            found(&files("stop_is_quick", "demonstrations = [\"sound\"]\n")),
            found(&files("stop_is_quick", "demonstrations = [\"bad\"]\n")),
        ];
        expect![[r#"
            listings/demo/hazards.toml: `demo/bad` and `sound` have no test `stop_...` of the same name: one shows the harm, the other survives it
            listings/demo/src/bin/bad.rs: no hazard is named for this mistake; add it to [wrong] in listings/demo/hazards.toml
            listings/demo/hazards.toml: `demo/sound` fixes a mistake, so it's no demonstration
            listings/demo/hazards.toml: the caption of `bad` is `Wrong: ...`
        "#]].assert_eq(&all.concat());
    }

    #[test]
    fn the_first_right_program_of_a_page_is_no_demonstration() {
        let page = "# Adding\n\n{{#listing demo/bad}}\n\n{{#listing demo/sound}}\n";
        let files = |more: &str| {
            [
                ("listings/demo/src/bin/sound.rs", listing("Adds.", &[])),
                (
                    "listings/demo/hazards.toml",
                    format!("demonstrations = [\"sound\"]\n{more}"),
                ),
                ("src/demo/adding.md", page.to_owned()),
                ("src/demo/plain.md", "# Plain\n".to_owned()),
            ]
        };
        let all = [
            found(&files("")),
            found(&files("pages_without_pattern = [\"demo/adding\"]\n")),
            found(&files(
                "pages_without_pattern = [\"demo/adding\", \"demo/plain\", \"demo/x\"]\n",
            )),
        ];
        expect![[r#"
            src/demo/adding.md:5: the page recommends `demo/sound`, its first program, so that's no demonstration; if the page recommends none, add it to `pages_without_pattern` in listings/demo/hazards.toml
            listings/demo/hazards.toml: `pages_without_pattern` names src/demo/plain.md, whose first program is no demonstration
            listings/demo/hazards.toml: `pages_without_pattern` names demo/x, which isn't a page
        "#]]
        .assert_eq(&all.concat());
    }
}
