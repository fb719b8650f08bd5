//! What a page shows besides its prose: programs, outputs, compiler messages, and manifests.

use model::directive::Directive;
use model::manifest;
use model::problem::Problem;
use model::project::Project;
use model::uses::Page;
use render::measured;

/// The text of everything that the directives of a page name: whole programs, what they print, what the compiler says,
/// manifests, and measurements; of a crate's file, only what is shown.
///
/// # Errors
///
/// A file can't be read.
pub fn of(project: &Project, page: &Page) -> Result<String, Problem> {
    let mut text = String::new();
    for placed in &page.directives {
        // A directive that is malformed, or names what doesn't exist, is reported when the page is expanded.
        let ids = match &placed.directive {
            Ok(Directive::Manifest(part)) => {
                text.extend(manifest::shown(project, part));
                continue;
            }
            Ok(Directive::Measured(name)) => {
                text.extend(measured::figure(project, name));
                continue;
            }
            Ok(Directive::Source(shown)) => {
                text.extend(shown.shown(project).map(|shown| shown.text));
                continue;
            }
            Ok(Directive::Program(_, shown)) => vec![&shown.id],
            Ok(Directive::Output(id)) => vec![id],
            Ok(Directive::Timeline(ids)) => ids.iter().collect(),
            _ => continue,
        };
        for id in ids {
            for file in [
                id.source(),
                id.output(),
                id.postgresql_output(),
                id.compile_fail(),
                id.stderr(),
                id.unstable(),
                id.unstable_output(),
            ] {
                if project.has(&file) {
                    text.push_str(&project.read(&file)?);
                }
            }
        }
    }
    Ok(text)
}

/// The whole files of crates of which a page shows parts: every name in their code exists.
///
/// # Errors
///
/// A file can't be read.
pub fn whole_files(project: &Project, page: &Page) -> Result<String, Problem> {
    let mut text = String::new();
    for placed in &page.directives {
        if let Ok(Directive::Source(shown)) = &placed.directive
            && project.has(&shown.file())
        {
            text.push_str(&project.read(&shown.file())?);
        }
    }
    Ok(text)
}
