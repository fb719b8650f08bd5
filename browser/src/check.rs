//! Opens every page in every view, and makes problems of what is seen there.

use crate::log::{self, ConsoleError, Origin, Request};
use crate::look::{Element, Look, Violation, look};
use crate::server::Server;
use crate::session::Session;
use crate::sources::Sources;
use crate::view::View;
use crate::weight;
use anyhow::{Context, Result};
use render::site::Page;
use model::{Problem, Project};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Of the elements on a page that break the same rule, so many are told one by one.
const TOLD: usize = 3;

pub(crate) async fn check(
    session: &Session,
    project: &Project,
    folder: &Path,
    pages: &[Page],
    views: &[View],
) -> Result<Vec<Problem>> {
    let server = Server::start(folder).await?;
    let mut pages = pages.to_vec();
    pages.extend(not_found(project, folder));
    let sources = Sources {
        project,
        pages: &pages,
        origin: server.origin(),
    };
    let mut findings = Findings::default();
    for &view in views {
        // On an empty page: the last one would load other style sheets for other colors, and log that.
        session.open("about:blank").await?;
        session.look_as(view).await?;
        log::forget(session).await?;
        for page in &pages {
            let seen = see(session, server.origin(), page)
                .await
                .with_context(|| format!("{}: cannot be looked at ({view})", page.source))?;
            for found in problems(&sources, page, &seen) {
                findings.add(page, view, found);
            }
            for problem in weight::problems(&sources, folder, page, &seen.requests) {
                findings.add(page, view, of_page(problem));
            }
        }
    }
    Ok(findings.problems(views))
}

/// The page for addresses that are not there, which mdBook makes and no table of contents names.
fn not_found(project: &Project, folder: &Path) -> Option<Page> {
    let source = match project.has("src/404.md") {
        true => "src/404.md",
        false => "404.html",
    };
    let page = Page {
        source: source.to_owned(),
        html: "404.html".into(),
    };
    folder.join(&page.html).is_file().then_some(page)
}

struct Seen {
    look: Look,
    errors: Vec<ConsoleError>,
    requests: Vec<Request>,
}

async fn see(session: &Session, origin: &str, page: &Page) -> Result<Seen> {
    let path = page.html.to_string_lossy().replace('\\', "/");
    session.open(&format!("{origin}{path}")).await?;
    let look = look(session).await?;
    // Last, so that the scripts had all that time to fail.
    Ok(Seen {
        look,
        errors: log::errors(session).await?,
        requests: log::requests(session).await?,
    })
}

/// A problem, and whose it is.
struct Found {
    problem: Problem,
    /// It is the theme's, which is the same on every page.
    is_theme: bool,
}

fn problems(sources: &Sources<'_>, page: &Page, seen: &Seen) -> Vec<Found> {
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    for request in &seen.requests {
        if let Some(problem) = of_request(sources, page, request) {
            told.insert(request.address.as_str());
            found.push(of_page(problem));
        }
    }
    for error in &seen.errors {
        let address = error.origin.as_ref().map(|origin| origin.address.as_str());
        let is_told = error.is_of_request && address.is_some_and(|it| told.contains(it));
        if !is_told {
            found.push(of_page(of_error(sources, page, error)));
        }
    }
    found.extend(of_violations(sources, page, &seen.look.violations));
    found.extend(seen.look.wordless.iter().map(|element| {
        let message = format!(
            "`{}` has no words for who does not see it; write what it shows: ![words](picture)",
            element.shown()
        );
        of_element(sources, page, element, &message)
    }));
    found.extend(of_overflow(sources, page, &seen.look));
    found.extend(of_shift(sources, page, &seen.look));
    found
}

fn of_page(problem: Problem) -> Found {
    Found {
        problem,
        is_theme: false,
    }
}

fn of_request(sources: &Sources<'_>, page: &Page, request: &Request) -> Option<Problem> {
    let address = &request.address;
    // These bring their content along.
    if ["data:", "blob:", "about:"]
        .iter()
        .any(|scheme| address.starts_with(scheme))
    {
        return None;
    }
    let (message, clues) = match sources.in_site(address) {
        Some(path) => {
            let failure = request.failure.as_ref()?;
            let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
            let message = format!(
                "asks for `{path}`, which the site does not give ({failure}); \
                 put the file there, or mend the address"
            );
            (message, vec![path, name])
        }
        None => {
            let message = format!(
                "asks for {address}, which is not of this site: a reader without a network goes without it; \
                 keep a copy in the repository, and use that"
            );
            // An address without a path gets a slash.
            let bare = address.trim_end_matches('/').to_owned();
            (message, vec![address.clone(), bare])
        }
    };
    let clues = clues.iter().map(String::as_str);
    Some(at_origin(
        sources,
        page,
        request.origin.as_ref(),
        |source| sources.first_line(source, clues.clone()),
        message,
    ))
}

fn of_error(sources: &Sources<'_>, page: &Page, error: &ConsoleError) -> Problem {
    let message = format!(
        "a script complains: {}; mend it, the browser's console shows it too",
        error.message.trim_end()
    );
    let origin = error.origin.as_ref();
    at_origin(sources, page, origin, |_| None, message)
}

/// A problem at the file that is to blame. Where that is none of the repository's, it is the page's.
fn at_origin(
    sources: &Sources<'_>,
    page: &Page,
    origin: Option<&Origin>,
    line_in: impl Fn(&str) -> Option<usize>,
    message: String,
) -> Problem {
    let from = origin.and_then(|origin| Some((origin, sources.in_site(&origin.address)?)));
    let Some((origin, in_site)) = from else {
        return Problem {
            file: page.source.clone().into(),
            line: line_in(&page.source),
            message,
        };
    };
    match sources.of(&in_site) {
        Some(source) => {
            // A line of the built page is none of its source.
            let is_page = sources.pages.iter().any(|page| page.source == source);
            let line = line_in(&source).or(origin.line.filter(|_| !is_page));
            Problem {
                file: source.into(),
                line,
                message,
            }
        }
        None => Problem {
            file: page.source.clone().into(),
            line: line_in(&page.source),
            message: format!("{message} (from {in_site})"),
        },
    }
}

fn of_violations(sources: &Sources<'_>, page: &Page, violations: &[Violation]) -> Vec<Found> {
    let mut by_rule = BTreeMap::<_, Vec<_>>::new();
    for violation in violations {
        let key = (&violation.rule, violation.element.is_content);
        by_rule.entry(key).or_default().push(violation);
    }
    let mut found = Vec::new();
    for ((rule, is_content), violations) in by_rule {
        for violation in violations.iter().take(TOLD) {
            let Violation { help, detail, .. } = violation;
            let message = format!(
                "`{}` is not for everyone: {help}: {} (axe-core's rule {rule})",
                violation.element.shown(),
                detail.trim_end_matches('.')
            );
            found.push(of_element(sources, page, &violation.element, &message));
        }
        if violations.len() > TOLD {
            let message = format!(
                "{} more elements break axe-core's rule {rule}",
                violations.len() - TOLD
            );
            found.push(Found {
                problem: Problem::of(&page.source, message),
                is_theme: !is_content,
            });
        }
    }
    found
}

fn of_overflow(sources: &Sources<'_>, page: &Page, look: &Look) -> Vec<Found> {
    let Some(overflow) = &look.overflow else {
        return Vec::new();
    };
    let message = format!(
        "the page scrolls sideways: it takes {} pixels and has {}",
        overflow.width, overflow.room
    );
    let told = overflow.elements.iter().map(|element| {
        let message = format!(
            "{message}, for `{}` sticks out; let it wrap, shrink, or scroll in a box of its own",
            element.shown()
        );
        of_element(sources, page, element, &message)
    });
    let found: Vec<_> = told.collect();
    match found.is_empty() {
        true => vec![of_page(Problem::of(&page.source, message))],
        false => found,
    }
}

fn of_shift(sources: &Sources<'_>, page: &Page, look: &Look) -> Vec<Found> {
    // What a browser rounds away.
    if look.shift < 0.0005 {
        return Vec::new();
    }
    let message = format!(
        "moves while the page is loading (layout shift {:.3}); keep its place",
        look.shift
    );
    let told = look.shifted.iter().map(|element| {
        let message = format!("`{}` {message}", element.shown());
        of_element(sources, page, element, &message)
    });
    let found: Vec<_> = told.collect();
    match found.is_empty() {
        true => vec![of_page(Problem::of(&page.source, message))],
        false => found,
    }
}

/// A problem with an element: at its line, where the page's source has it and no other like it.
fn of_element(sources: &Sources<'_>, page: &Page, element: &Element, message: &str) -> Found {
    let clues = element.clues.iter().map(String::as_str);
    let line = element
        .is_content
        .then(|| sources.only_line(&page.source, clues))
        .flatten();
    let message = match element.is_content {
        true => message.to_owned(),
        false => format!("the theme's {message}"),
    };
    Found {
        problem: Problem {
            file: page.source.clone().into(),
            line,
            message,
        },
        is_theme: !element.is_content,
    }
}

/// What was found, each thing once, with the pages and views that show it.
#[derive(Default)]
struct Findings(BTreeMap<(Option<String>, Option<usize>, String), Occurrences>);

struct Occurrences {
    first: Problem,
    pages: BTreeSet<String>,
    views: BTreeSet<View>,
}

impl Findings {
    fn add(&mut self, page: &Page, view: View, found: Found) {
        let Found { problem, is_theme } = found;
        let file = problem.file.to_string_lossy().into_owned();
        let key = (
            (!is_theme).then_some(file),
            problem.line,
            problem.message.clone(),
        );
        let occurrences = self.0.entry(key).or_insert_with(|| Occurrences {
            first: problem,
            pages: BTreeSet::new(),
            views: BTreeSet::new(),
        });
        occurrences.pages.insert(page.source.clone());
        occurrences.views.insert(view);
    }

    fn problems(self, views: &[View]) -> Vec<Problem> {
        self.0
            .into_values()
            .map(|occurrences| {
                let mut problem = occurrences.first;
                let pages = occurrences.pages.len();
                if pages > 1 {
                    problem.message += &format!(" [on {pages} pages]");
                }
                if occurrences.views.len() < views.len() {
                    let views: Vec<_> = occurrences.views.iter().map(View::to_string).collect();
                    problem.message += &format!(" [{}]", views.join(", "));
                }
                problem
            })
            .collect()
    }
}
