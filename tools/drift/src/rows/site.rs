//! The site in a browser: scripts work, elements are accessible, and no page needs the network.

use super::inserted;
use crate::breakage::{Breakage, Check};
use crate::snapshot::BookSnapshot;
use crate::text::{pick, substituted};
use fastrand::Rng;

/// Promise 15.
pub fn broken_site(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let browser = |page: &str| Check::Browser {
        page: page.to_owned(),
    };
    let mut breakages = Vec::new();
    for html in [
        "<p style=\"color: #aaa; background: #999\">Too faint to read.</p>",
        "<img src=\"https://example.com/dot.png\" alt=\"A dot.\">",
        "<div style=\"width: 3000px\">Wider than any screen.</div>",
        "<input type=\"text\">",
    ] {
        breakages.extend(
            inserted(snapshot, rng, html, 0, browser("")).map(|breakage| Breakage {
                check: browser(&breakage.edits[0].file),
                ..breakage
            }),
        );
    }
    let script = snapshot.file("theme/site.js");
    for (replacement, what) in [
        ("  addEventListener(']", "is not JavaScript"),
        ("  addListener('", "calls a function that doesn't exist"),
    ] {
        if let Some(page) = pick(rng, &snapshot.pages) {
            let (lines, check) = (script.lines(), browser(&page.file));
            let call = r"^  addEventListener\('";
            breakages.extend(substituted(rng, lines, call, replacement, what, check));
        }
    }
    breakages
}
