//! What a page would load from another server, and pictures without alt text. `browser/` finds what shows only when
//! a page is opened.

use crate::{built_page, numbered, regex, selector};
use model::problem::Problem;
use model::project::Project;
use regex::Regex;
use render::site::Page;
use scraper::Html;
use std::path::Path;
use std::sync::LazyLock;

/// An address of another server that a style sheet or script would load.
static LOADED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?i)(?:url\(|@import|fetch\(|import\(|open\(|WebSocket\(|EventSource\(|sendBeacon\(|\.src\s*=|\.href\s*=)[^;\n]{0,40}?["'(]?\s*((?:https?:|wss?:)?//[\w.-]+\.[a-z]{2,}[^"'\s)]*)"#,
    )
});

const OFFLINE: &str = "which fails without a network; keep a copy in this repository";

/// Resources that the pages and the theme load from other servers, and pictures without alt text.
///
/// # Errors
///
/// A built page or a file of the theme can't be read.
pub fn resources(project: &Project, site: &Path, pages: &[Page]) -> Result<Vec<Problem>, Problem> {
    let loading =
        selector("script, link, img, iframe, video, audio, source, object, embed, track, style");
    let mut problems = Vec::new();
    for page in pages {
        let html = built_page(site, page)?;
        let source = project.read(&page.source)?;
        let mut report = |text: &str, message: String| {
            let line = numbered(&source).find(|(_, line)| line.contains(text));
            problems.push(Problem {
                file: (&page.source).into(),
                line: line.map(|(number, _)| number),
                message,
            });
        };
        for element in Html::parse_document(&html).select(&loading) {
            let element = element.value();
            // The canonical address of the page is named, and not loaded.
            if element.name() == "link" && element.attr("rel") == Some("canonical") {
                continue;
            }
            let addresses = ["src", "href", "data", "srcset", "poster"];
            let addresses = addresses.iter().filter_map(|name| element.attr(name));
            for address in addresses.filter(|address| is_outside(address)) {
                let message = format!("<{}> loads {address}, {OFFLINE}", element.name());
                report(address, message);
            }
            let alt = element.attr("alt").unwrap_or_default();
            if element.name() == "img" && alt.trim().is_empty() {
                let picture = element.attr("src").unwrap_or_default();
                let message = format!(
                    "the image {picture} has no alt text; describe it: ![description]({picture})"
                );
                report(picture, message);
            }
        }
    }
    // mdBook puts a picture on the page a second time, enlarged.
    problems.dedup();
    let theme = project.files_below("theme")?.into_iter();
    for file in theme.chain(project.files_below("src")?) {
        if ![".css", ".js", ".hbs", ".html", ".svg"]
            .iter()
            .any(|ending| file.ends_with(ending))
        {
            continue;
        }
        for (number, line) in numbered(&project.read(&file)?) {
            if let Some(found) = LOADED.captures(line) {
                let message = format!("loads {}, {OFFLINE}", &found[1]);
                problems.push(Problem::at(&file, number, message));
            }
        }
    }
    Ok(problems)
}

fn is_outside(address: &str) -> bool {
    let address = address.trim().to_ascii_lowercase();
    let starts = ["http:", "https:", "//", "ws:", "wss:"];
    starts.iter().any(|start| address.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_style_sheet_or_script_loads_is_found() {
        for (line, loads) in [
            ("@import url(\"https://example.com/a.css\");", true),
            ("src: url(//fonts.example.com/a.woff2)", true),
            ("fetch('https://example.com/x')", true),
            ("const socket = new WebSocket(\"wss://example.com\")", true),
            ("script.src = 'https://cdn.example.com/a.js'", true),
            ("/* see https://example.com */", false),
            ("// from the standard: https://example.com", false),
            ("background: url(dot.svg)", false),
            ("fetch('searchindex.js')", false),
        ] {
            assert_eq!(LOADED.is_match(line), loads, "{line}");
        }
    }
}
