//! The figure of a manifest.

use crate::caption::{TOOLS, figcaption};
use model::html::fenced;
use model::{Project, manifest};

/// The dependencies of a part or another crate, or of all parts, as a reader's own Cargo.toml needs them.
///
/// # Errors
///
/// There is no such part, or a manifest cannot be read.
pub fn figure(project: &Project, part: &str, repository: Option<&str>) -> Result<String, String> {
    let crates = project.crates().unwrap_or_default();
    let is_unstable = part
        .strip_suffix(manifest::UNSTABLE)
        .is_some_and(|_| project.has(&manifest::file(part)));
    if part != manifest::ALL && !is_unstable && !crates.iter().any(|known| known == part) {
        return Err(format!(
            "there is no part `{part}` under listings/; there are: {}, and `{}` for the manifest of all",
            crates.join(", "),
            manifest::ALL
        ));
    }
    let text = manifest::shown(project, part).map_err(|problem| problem.to_string())?;
    let id = format!("manifest-{}", part.replace('/', "-"));
    let caption = "What to put into your <code>Cargo.toml</code>.";
    Ok(format!(
        "<figure class=\"manifest\" id=\"{id}\" data-manifest=\"{part}\">\n{}\n\n{}\n</figure>\n",
        figcaption(&id, caption, (&manifest::file(part), repository), "", TOOLS),
        fenced("toml", &text),
    ))
}
