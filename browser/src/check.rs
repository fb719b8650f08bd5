//! Opens every page in every view, and turns what the browser reports into problems.

use crate::log::{self, ConsoleError, Origin, Request};
use crate::look::{Element, Look, Violation, look};
use crate::server::Server;
use crate::session::Session;
use crate::sources::Sources;
use crate::view::View;
use crate::weight;
use anyhow::{Context, Result};
use model::{Problem, Project};
use render::site::Page;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Of the elements on a page that violate the same rule, so many are reported individually.
const MAX_REPORTED: usize = 3;

/// A layout shift below this is a rounding error.
const MIN_SHIFT: f64 = 0.0005;

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
            let report = open(session, server.origin(), page)
                .await
                .with_context(|| format!("{}: cannot be checked ({view})", page.source))?;
            let page = Checked {
                sources: &sources,
                page,
            };
            for found in page.problems(&report) {
                findings.add(page.page, view, found);
            }
            for problem in weight::problems(&sources, folder, page.page, &report.requests) {
                findings.add(page.page, view, of_page(problem));
            }
        }
    }
    Ok(findings.problems(views))
}

/// The page for missing addresses, which mdBook makes, and which is not in the table of contents.
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

/// What the browser reports about a page.
struct Report {
    look: Look,
    errors: Vec<ConsoleError>,
    requests: Vec<Request>,
}

async fn open(session: &Session, origin: &str, page: &Page) -> Result<Report> {
    let path = page.html.to_string_lossy().replace('\\', "/");
    session.open(&format!("{origin}{path}")).await?;
    let look = look(session).await?;
    // Last, because scripts can fail late.
    Ok(Report {
        look,
        errors: log::errors(session).await?,
        requests: log::requests(session).await?,
    })
}

/// A problem of a page, or of the theme, which is the same on every page.
struct Found {
    problem: Problem,
    is_theme: bool,
}

fn of_page(problem: Problem) -> Found {
    Found {
        problem,
        is_theme: false,
    }
}

/// A page whose problems are looked for.
struct Checked<'a> {
    sources: &'a Sources<'a>,
    page: &'a Page,
}

impl Checked<'_> {
    fn problems(&self, report: &Report) -> Vec<Found> {
        let mut found = Vec::new();
        let mut reported = BTreeSet::new();
        for request in &report.requests {
            if let Some(problem) = self.request(request) {
                reported.insert(request.address.as_str());
                found.push(of_page(problem));
            }
        }
        for error in &report.errors {
            let address = error.origin.as_ref().map(|origin| origin.address.as_str());
            let is_reported = address.is_some_and(|address| reported.contains(address));
            if !(error.is_of_request && is_reported) {
                let message = format!("console error: {}", error.message.trim_end());
                let problem = self.at_origin(error.origin.as_ref(), &[], message);
                found.push(of_page(problem));
            }
        }
        let look = &report.look;
        found.extend(self.violations(&look.violations));
        found.extend(look.without_alt.iter().map(|element| {
            let tag = element.tag();
            let message =
                format!("missing alt text: `{tag}`; describe the picture: ![description](picture)");
            self.at_element(element, message)
        }));
        if let Some(overflow) = &look.overflow {
            let message = format!(
                "the page scrolls sideways: it is {} pixels wide on a screen of {}",
                overflow.width, overflow.room
            );
            let fix = "sticks out: let it wrap, shrink, or scroll in a box of its own";
            found.extend(self.at_elements(&overflow.elements, &message, fix));
        }
        if look.shift >= MIN_SHIFT {
            let message = format!("layout shift while the page is loading ({:.3})", look.shift);
            found.extend(self.at_elements(&look.shifted, &message, "moves: reserve its space"));
        }
        found
    }

    fn request(&self, request: &Request) -> Option<Problem> {
        let address = &request.address;
        // These contain their data.
        let schemes = ["data:", "blob:", "about:"];
        if schemes.iter().any(|scheme| address.starts_with(scheme)) {
            return None;
        }
        let origin = request.origin.as_ref();
        let Some(path) = self.sources.in_site(address) else {
            let message = format!(
                "external request: {address}; readers can be offline, so keep a copy in the repository"
            );
            // Chromium adds a slash to an address without a path.
            let bare = address.trim_end_matches('/');
            return Some(self.at_origin(origin, &[address, bare], message));
        };
        let failure = request.failure.as_ref()?;
        let message =
            format!("request failed ({failure}): `{path}`; add the file, or fix the address");
        let name = path.rsplit('/').next().unwrap_or(&path);
        Some(self.at_origin(origin, &[&path, name], message))
    }

    /// A problem in the file that causes it, at the first line with one of these texts. If that is no file of the
    /// repository, the problem is the page's.
    fn at_origin(&self, origin: Option<&Origin>, texts: &[&str], message: String) -> Problem {
        let line_in = |source: &str| self.sources.first_line(source, texts.iter().copied());
        let in_site = origin.and_then(|origin| self.sources.in_site(&origin.address));
        let source = in_site.as_ref().and_then(|file| self.sources.of(file));
        let (source, line, message) = match (source, in_site) {
            (Some(source), _) => {
                // A line of a rendered page is not the line of its source.
                let is_page = self.sources.pages.iter().any(|page| page.source == source);
                let line = origin.and_then(|origin| origin.line).filter(|_| !is_page);
                let line = line_in(&source).or(line);
                (source, line, message)
            }
            (None, in_site) => {
                let source = self.page.source.clone();
                let line = line_in(&source);
                let from = in_site.map(|file| format!(" (from {file})"));
                (source, line, message + &from.unwrap_or_default())
            }
        };
        Problem {
            file: source.into(),
            line,
            message,
        }
    }

    fn violations(&self, violations: &[Violation]) -> Vec<Found> {
        let mut by_rule = BTreeMap::<_, Vec<_>>::new();
        for violation in violations {
            let key = (&violation.rule, violation.element.is_content);
            by_rule.entry(key).or_default().push(violation);
        }
        let mut found = Vec::new();
        for ((rule, is_content), violations) in by_rule {
            for violation in violations.iter().take(MAX_REPORTED) {
                let Violation { help, detail, .. } = violation;
                let tag = violation.element.tag();
                let detail = detail.trim_end_matches('.');
                let message = format!(
                    "accessibility violation (WCAG): `{tag}`: {help}: {detail} (axe-core rule {rule})"
                );
                found.push(self.at_element(&violation.element, message));
            }
            if violations.len() > MAX_REPORTED {
                let more = violations.len() - MAX_REPORTED;
                let message = format!(
                    "accessibility violations (WCAG): {more} more elements violate axe-core rule {rule}"
                );
                found.push(Found {
                    problem: Problem::of(&self.page.source, message),
                    is_theme: !is_content,
                });
            }
        }
        found
    }

    /// A problem at each of these elements; at the page if there are none.
    fn at_elements(&self, elements: &[Element], message: &str, fix: &str) -> Vec<Found> {
        if elements.is_empty() {
            return vec![of_page(Problem::of(&self.page.source, message))];
        }
        let found = elements.iter().map(|element| {
            let message = format!("{message}; `{}` {fix}", element.tag());
            self.at_element(element, message)
        });
        found.collect()
    }

    /// A problem with an element, at the only line of the page's source that can be its.
    fn at_element(&self, element: &Element, message: String) -> Found {
        let clues = element.clues.iter().map(String::as_str);
        let source = &self.page.source;
        let (line, message) = match element.is_content {
            true => (self.sources.only_line(source, clues), message),
            false => (None, format!("in the theme: {message}")),
        };
        Found {
            problem: Problem {
                file: source.into(),
                line,
                message,
            },
            is_theme: !element.is_content,
        }
    }
}

/// Every problem once, with the pages and views in which it occurs.
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
        let problems = self.0.into_values().map(|occurrences| {
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
        });
        problems.collect()
    }
}
