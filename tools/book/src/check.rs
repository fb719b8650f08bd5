//! `cargo book check`: everything that is wrong with a page or a listing, in seconds.

use crate::progress::Progress;
use anyhow::{Result, anyhow, bail};
use drift::snapshot::{self, BookSnapshot};
use model::directive::Directive;
use model::hazards::Declarations;
use model::suggest::did_you_mean;
use model::{
    Problem, Problems, ProgramId, Project, api, cancel_safety, measured, provenance, uses,
};
use render::expand::Expander;
use render::site::{self, Page};
use runs::{build, compare, compile_fail};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;
use verify::identifiers::{Items, unverified_identifiers};
use verify::{
    checks, disabled_tests, hazards, length, links, messages, orphans, outside, prose, published,
    since, style, tables,
};

/// Checks pages and listings, or all pages; prints every problem, and returns whether there is none.
///
/// The programs of the named pages are run as well. Without names no program is.
pub fn check(project: &Project, names: &[String]) -> Result<bool> {
    let started = Instant::now();
    let project = &project.loaded();
    let subject = Subject::find(project, names)?;
    let found = check_pages(project, &subject)?;
    let mut problems: Vec<_> = found.iter().map(ToString::to_string).collect();
    let programs = match names {
        [] => 0,
        _ => run_programs(project, &subject.programs, &mut problems)?,
    };
    for problem in &problems {
        println!("{}", problem.trim_end());
    }
    let found = match problems.len() {
        0 => "no problems".to_owned(),
        n => counted(n, "problem"),
    };
    println!(
        "{found} ({}, {} checked in {:.1} s)",
        counted(subject.pages.len(), "page"),
        counted(programs, "program"),
        started.elapsed().as_secs_f32()
    );
    Ok(problems.is_empty())
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// What is checked.
struct Subject {
    /// The pages' sources.
    pages: BTreeSet<String>,
    /// The programs that were named, and those that the pages show.
    programs: BTreeSet<ProgramId>,
    /// The files whose problems are reported; all files if nothing was named.
    files: Option<BTreeSet<PathBuf>>,
}

impl Subject {
    /// Finds pages (`src/tasks/waiting.md`, `tasks/waiting`) and programs (`tasks/join_set`, or its file).
    fn find(project: &Project, names: &[String]) -> Result<Self> {
        let mut known: BTreeSet<ProgramId> = project.listings()?.into_iter().collect();
        known.extend(project.compile_fail_programs()?);
        known.extend(project.unstable_programs()?);
        let mut all_pages = uses::pages_below(project, "src");
        all_pages.retain(|page| page != "src/SUMMARY.md");
        if names.is_empty() {
            return Ok(Self {
                pages: all_pages.into_iter().collect(),
                programs: BTreeSet::new(),
                files: None,
            });
        }
        let mut pages = BTreeSet::new();
        let mut programs = BTreeSet::new();
        for name in names {
            let name = name.replace('\\', "/");
            let name = name.trim_start_matches("./");
            let page = all_pages.iter().find(|page| is_page(page, name));
            let program = known
                .iter()
                .find(|it| it.to_string() == name || files_of(it).iter().any(|file| file == name));
            if page.is_none() && program.is_none() {
                let listed = known.iter().map(ToString::to_string);
                let all: Vec<_> = all_pages
                    .iter()
                    .map(|it| stem(it).to_owned())
                    .chain(listed)
                    .collect();
                let hint = did_you_mean(stem(name), all.iter().map(String::as_str));
                bail!("there is no page or listing `{name}`{hint}");
            }
            pages.extend(page.cloned());
            programs.extend(program.cloned());
        }
        let shown = uses::all(project)
            .into_iter()
            .filter(|it| pages.contains(&it.page));
        let shown: BTreeSet<String> = shown
            .flat_map(|it| it.listings().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        programs.extend(
            known
                .into_iter()
                .filter(|it| shown.contains(&it.to_string())),
        );
        let crate_files = uses::all(project)
            .into_iter()
            .filter(|it| pages.contains(&it.page))
            .filter_map(|it| match it.parsed {
                Some(Directive::Source(shown)) => Some(shown.file()),
                _ => None,
            });
        let files = programs
            .iter()
            .flat_map(files_of)
            .chain(crate_files)
            .chain(pages.iter().cloned());
        Ok(Self {
            files: Some(files.map(PathBuf::from).collect()),
            pages,
            programs,
        })
    }

    fn concerns(&self, problem: &Problem) -> bool {
        self.files
            .as_ref()
            .is_none_or(|files| files.contains(&problem.file))
    }
}

fn is_page(page: &str, name: &str) -> bool {
    page == name || stem(page) == stem(name)
}

/// What is left of a page's path without its folder `src` and its ending.
fn stem(page: &str) -> &str {
    let page = page.trim_start_matches("src/");
    page.trim_end_matches(".md").trim_end_matches(".html")
}

fn files_of(name: &ProgramId) -> [String; 10] {
    [
        Declarations::file(&name.part),
        name.source(),
        name.output(),
        name.postgresql_output(),
        name.errors(),
        name.timeline(),
        name.compile_fail(),
        name.stderr(),
        name.unstable(),
        name.unstable_output(),
    ]
}

type SourceCheck = (&'static str, fn(&Project) -> Result<Vec<Problem>>);

macro_rules! checks {
    ($project:ident: $($what:literal => $found:expr;)*) => {
        &[$(($what, |$project| Ok($found))),*]
    };
}

/// What can be checked without a built site, each with the words for the progress.
const SOURCE_CHECKS: &[SourceCheck] = checks![project:
    "what no page shows" => checks::unshown(project)?;
    "names of programs" => checks::duplicate_names(project)?;
    "files without a program" => orphans::listing_files(project)?;
    "disabled tests" => disabled_tests::find(project)?;
    "hazards" => hazards::find(project)?;
    "fixes and weakenings" => fixes_and_weakenings(project)?;
    "measurements" => measured::checks::problems(project);
    "the cancel-safety table" => cancel_safety::problems(project)?;
    "pictures" => orphans::unlinked_files(project, "src", &uses::pages_below(project, "src"))?;
    "numbers and code in prose" => prose::check(project)?;
    "phrases" => style::check(project)?;
    "names in backticks" => unverified_identifiers(project, &linked_items(project)?)?;
    "messages" => messages::never_printed(project)?;
    "changelogs" => since::compare(project)?.wrong;
    "length" => length::too_long(project);
    "published addresses" => published::lost_addresses(project)?;
    "tables" => tables::missing_headers(project);
];

type SiteCheck = (
    &'static str,
    fn(&Project, &Path, &[Page]) -> Result<Vec<Problem>>,
);

/// What is checked on all pages of the site together.
const BOOK_CHECKS: &[SiteCheck] = &[
    ("the table of contents", |project, _, pages| {
        Ok(orphans::pages(project, pages))
    }),
    ("links", |project, site, pages| {
        Ok(links::broken(project, site, pages)?)
    }),
];

/// What is checked on each page as a reader gets it.
const PAGE_CHECKS: &[SiteCheck] = &[
    ("programs", |project, site, pages| {
        Ok(checks::altered_programs(project, site, pages)?)
    }),
    ("other servers", |project, site, pages| {
        Ok(outside::resources(project, site, pages)?)
    }),
];

/// Runs every check, on two threads, and returns the problems of the pages and programs.
fn check_pages(project: &Project, subject: &Subject) -> Result<Vec<Problem>> {
    let total = 1 + BOOK_CHECKS.len() + PAGE_CHECKS.len() + SOURCE_CHECKS.len();
    let progress = Mutex::new(Progress::start("Checking the pages", total));
    let step = |what: &str| {
        if let Ok(mut progress) = progress.lock() {
            progress.step(what);
        }
    };
    let (site, sources) = thread::scope(|scope| {
        let sources = scope.spawn(|| check_sources(project, subject, &step));
        let site = check_site(project, subject, &step);
        (site, sources.join())
    });
    let mut found = sources.map_err(|_| anyhow!("a check panicked"))??;
    let (of_site, is_built) = site?;
    found.extend(of_site.iter().filter(|it| subject.concerns(it)).cloned());
    if found.is_empty() && !is_built {
        // Another page is broken, and so this one could not be checked completely.
        return Ok(of_site);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// What is wrong with the site, and whether it could be built at all.
fn check_site(
    project: &Project,
    subject: &Subject,
    step: &dyn Fn(&str),
) -> Result<(Vec<Problem>, bool)> {
    step("building the site");
    let folder = project.root().join("target/book/check");
    fs::create_dir_all(&folder)?;
    let links_to_downloads = subject.pages.iter().any(|page| {
        let text = project.read(page).unwrap_or_default();
        links::targets(page, &text).iter().any(|it| is_download(it))
    });
    let built = match links_to_downloads {
        true => export::site::build(project, &folder).map(|book| book.rendered),
        false => site::build(project, &folder),
    };
    let mut pages = match built {
        Ok(pages) => pages,
        Err(error) => return Ok((problems(Err(error))?, false)),
    };
    let mut found = Vec::new();
    for (what, check) in BOOK_CHECKS {
        step(what);
        found.extend(problems(check(project, &folder, &pages))?);
    }
    pages.retain(|page| subject.pages.contains(&page.source));
    for (what, check) in PAGE_CHECKS {
        step(what);
        found.extend(problems(check(project, &folder, &pages))?);
    }
    Ok((found, true))
}

/// Whether a file is the book in another form, which takes longer to build than the pages: its EPUB, or its text for models.
fn is_download(file: &Path) -> bool {
    let download = [Some("epub"), Some("txt")];
    download.contains(&file.extension().and_then(OsStr::to_str))
}

/// What is wrong with the sources of the pages and programs.
fn check_sources(
    project: &Project,
    subject: &Subject,
    step: &(dyn Fn(&str) + Sync),
) -> Result<Vec<Problem>> {
    let mut found = Vec::new();
    for page in subject.pages.iter().filter(|_| subject.files.is_some()) {
        // It may not be in the table of contents yet, and then the site doesn't have it.
        let text = project.read(page).map_err(|problem| vec![problem]);
        let expanded = text.and_then(|text| Expander::new(project, None).expand(page, &text));
        found.extend(expanded.err().unwrap_or_default());
    }
    for (what, check) in SOURCE_CHECKS {
        step(what);
        found.extend(problems(check(project))?);
    }
    found.retain(|problem| subject.concerns(problem));
    Ok(found)
}

/// The problems that a check found, or that kept it from being made; any other error is passed on.
fn problems(found: Result<Vec<Problem>>) -> Result<Vec<Problem>> {
    let error = match found {
        Ok(problems) => return Ok(problems),
        Err(error) => error,
    };
    if let Some(problems) = error.downcast_ref::<Problems>() {
        return Ok(problems.iter().cloned().collect());
    }
    error.downcast::<Problem>().map(|problem| vec![problem])
}

/// The items of the APIs that the pages link. (rustdoc knows all items, but asking it takes minutes:
/// `cargo test --test api_links` does.)
fn linked_items(project: &Project) -> Result<Items> {
    let mut items = BTreeMap::new();
    for (name, place) in &api::Map::read(project)?.0 {
        let last = name.rsplit("::").next().unwrap_or(name);
        let item = last.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
        let crates: &mut BTreeSet<String> = items.entry(item.to_owned()).or_default();
        crates.insert(place.package.clone());
    }
    Ok(items)
}

/// Mistakes of which nobody wrote down how they are fixed, and weakenings that no longer fit their programs.
fn fixes_and_weakenings(project: &Project) -> Result<Vec<Problem>> {
    let book = BookSnapshot::load(project)
        .map_err(|error| Problem::of(snapshot::FIXES, format!("{error:#}")))?;
    let mistakes = book.listings.iter().filter(|listing| listing.is_mistake);
    let unfixed = mistakes.chain(&book.compile_fail).filter_map(|program| {
        let error = book.fixed(&program.name, &program.source.text).err()?;
        Some(Problem::of(&program.source.file, format!("{error:#}")))
    });
    let stale = book.stale_weakenings().into_iter();
    let stale = stale.map(|error| Problem::of(snapshot::WEAKENINGS, error));
    Ok(unfixed.chain(stale).collect())
}

/// Builds and runs programs, compares what they print with what the book shows, and returns how many.
fn run_programs(
    project: &Project,
    programs: &BTreeSet<ProgramId>,
    problems: &mut Vec<String>,
) -> Result<usize> {
    let (listings, others): (Vec<_>, Vec<_>) = programs
        .iter()
        .cloned()
        .partition(|name| project.has(&name.source()));
    // Programs that need an unstable Tokio have a build of their own, and `cargo test --test unstable`.
    let refused: Vec<_> = others
        .into_iter()
        .filter(|name| project.has(&name.compile_fail()))
        .collect();
    eprintln!(
        "Building {}...",
        counted(listings.len() + refused.len(), "program")
    );
    let built = build::build(project, &listings)?;
    if !built.errors.is_empty() {
        problems.push(format!("a listing does not compile:\n{}", built.errors));
    }
    let mut progress = Progress::start("Running the programs", built.programs.len());
    for name in built.programs.keys() {
        progress.step(&name.to_string());
        problems.extend(compare::run_and_check(project, &built, name).err());
    }
    drop(progress);
    if !refused.is_empty() {
        let same =
            project.read(provenance::COMPILER).ok() == Some(compile_fail::compiler(project)?);
        for (name, message) in compile_fail::messages(project, &refused)? {
            let compared = message.and_then(|said| {
                let expected = project
                    .read(&name.stderr())
                    .map_err(|problem| problem.to_string())?;
                compile_fail::compare(&expected, &said, same)
            });
            problems.extend(
                compared
                    .err()
                    .map(|why| format!("{}: {why}", name.stderr())),
            );
        }
    }
    Ok(listings.len() + refused.len())
}
