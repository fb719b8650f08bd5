//! Finds, without a browser, what a page would ask another server for, and pictures without words. What
//! only shows when a page is opened, `browser/` finds.

use crate::strays::files_below;
use anyhow::{Context, Result};
use model::problem::Problem;
use model::project::Project;
use render::site::Page;
use regex::Regex;
use scraper::{Html, Selector};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// An address of another server, where a style sheet or script would load something.
static LOADED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)(?:url\(|@import|fetch\(|import\(|open\(|WebSocket\(|EventSource\(|sendBeacon\(|\.src\s*=|\.href\s*=)[^;\n]{0,40}?["'(]?\s*((?:https?:|wss?:)?//[\w.-]+\.[a-z]{2,}[^"'\s)]*)"#,
    )
    .expect("a constant expression")
});

/// What the pages and the theme ask other servers for, and pictures that have no words for those who do not
/// see them.
///
/// # Errors
///
/// A built page or a file of the theme cannot be read.
pub fn needed(project: &Project, site: &Path, pages: &[Page]) -> Result<Vec<Problem>> {
    let selector = Selector::parse(
        "script, link, img, iframe, video, audio, source, object, embed, track, style",
    )
    .expect("a constant selector");
    let mut problems = Vec::new();
    for page in pages {
        let html = fs::read_to_string(site.join(&page.html))
            .with_context(|| format!("cannot read the built page {}", page.html.display()))?;
        let source = project.read(&page.source)?;
        let mut tell = |about: &str, message: String| {
            let line = source.lines().position(|line| line.contains(about));
            problems.push(match line {
                Some(line) => Problem::at(&page.source, line + 1, message),
                None => Problem::of(&page.source, message),
            });
        };
        for element in Html::parse_document(&html).select(&selector) {
            let element = element.value();
            // A link that is only told, and not loaded: the address of the page itself.
            if element.name() == "link" && element.attr("rel") == Some("canonical") {
                continue;
            }
            for name in ["src", "href", "data", "srcset", "poster"] {
                let Some(address) = element.attr(name).filter(|it| is_outside(it)) else {
                    continue;
                };
                let message = format!(
                    "<{}> asks for {address}, and a reader without a network goes without it; keep a copy in src/",
                    element.name()
                );
                tell(address, message);
            }
            let words = element.attr("alt").map_or("", str::trim);
            if element.name() == "img" && words.is_empty() {
                let picture = element.attr("src").unwrap_or_default();
                let message = format!(
                    "the picture {picture} has no words for who does not see it; write what it shows: ![words](picture)"
                );
                tell(picture, message);
            }
        }
    }
    // mdBook shows a picture once more, large.
    problems.dedup();
    let mut loading = files_below(project.root(), Path::new("theme"))?;
    let is_loading = |file: &PathBuf| file.extension().is_some_and(|it| it == "js" || it == "css");
    let below_src = files_below(project.root(), Path::new("src"))?;
    loading.extend(below_src.into_iter().filter(is_loading));
    for file in loading {
        let Ok(text) = fs::read_to_string(project.root().join(&file)) else {
            // A font or a picture.
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            if let Some(found) = LOADED.captures(line) {
                let message = format!(
                    "asks for {}, and a reader without a network goes without it; keep a copy beside it",
                    &found[1]
                );
                problems.push(Problem::at(&file, number + 1, message));
            }
        }
    }
    Ok(problems)
}

fn is_outside(address: &str) -> bool {
    let address = address.trim().to_ascii_lowercase();
    ["http:", "https:", "//", "ws:", "wss:"]
        .iter()
        .any(|start| address.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_style_sheet_or_script_loads_is_found() {
        for line in [
            "@import url(\"https://example.com/a.css\");",
            "src: url(//fonts.example.com/a.woff2)",
            "fetch('https://example.com/x')",
            "const socket = new WebSocket(\"wss://example.com\")",
            "script.src = 'https://cdn.example.com/a.js'",
        ] {
            assert!(LOADED.is_match(line), "{line}");
        }
        for line in [
            "/* see https://example.com */",
            "// from the standard: https://example.com",
            "background: url(dot.svg)",
            "fetch('searchindex.js')",
        ] {
            assert!(!LOADED.is_match(line), "{line}");
        }
    }
}
