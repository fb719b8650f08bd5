//! What a page shows besides its prose: programs, outputs, messages and manifests.

use model::listing::ListingName;
use model::problem::Problem;
use model::project::Project;
use model::{manifest, uses};
use render::measured;

/// The text of everything that the directives of a page name: whole programs, what they print, what the
/// compiler says, manifests, and what was measured.
///
/// # Errors
///
/// A file cannot be read.
pub fn on_page(project: &Project, page: &str) -> Result<String, Problem> {
    let mut shown = String::new();
    for used in uses::all(project).into_iter().filter(|u| u.page == page) {
        if used.directive == "manifest" {
            // A part that does not exist is reported where the page is expanded.
            shown.push_str(&manifest::shown(project, &used.argument).unwrap_or_default());
            continue;
        }
        if used.directive == "measured" {
            // So is a benchmark that does not exist.
            shown.push_str(&measured::figure(project, &used.argument).unwrap_or_default());
            continue;
        }
        for name in used.listings().filter_map(|it| ListingName::parse(it).ok()) {
            for file in [
                name.source(),
                name.output(),
                name.compile_fail(),
                name.stderr(),
                name.unstable(),
                name.unstable_output(),
            ] {
                if project.has(&file) {
                    shown.push_str(&project.read(&file)?);
                }
            }
        }
    }
    Ok(shown)
}
