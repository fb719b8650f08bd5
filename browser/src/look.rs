//! The report of the script in the page: axe-core's violations, missing alt texts, overflow, and layout shifts.

use crate::session::Session;
use anyhow::{Result, bail};
use serde::Deserialize;

/// axe-core from npm, which [`look`] needs in every page.
pub(crate) const AXE: &str = include_str!("../vendor/axe.min.js");

const SCRIPT: &str = include_str!("look.js");

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Look {
    pub(crate) violations: Vec<Violation>,
    pub(crate) without_alt: Vec<Element>,
    pub(crate) overflow: Option<Overflow>,
    /// The cumulative layout shift while the page was loading.
    pub(crate) shift: f64,
    /// The elements that moved.
    pub(crate) shifted: Vec<Element>,
}

/// An element that breaks a rule of axe-core.
#[derive(Debug, Deserialize)]
pub(crate) struct Violation {
    pub(crate) rule: String,
    pub(crate) help: String,
    pub(crate) detail: String,
    pub(crate) element: Element,
}

/// An element of the page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Element {
    tag: String,
    /// Whether it is in `main`, and so comes from the page rather than the theme.
    pub(crate) is_content: bool,
    /// Texts of the element that can also be in the page's source, the most specific first.
    pub(crate) clues: Vec<String>,
}

impl Element {
    /// The opening tag, shortened if it is long.
    pub(crate) fn tag(&self) -> String {
        const LONG: usize = 120;
        match self.tag.char_indices().nth(LONG) {
            Some((end, _)) => format!("{}...>", &self.tag[..end]),
            None => self.tag.clone(),
        }
    }
}

/// A page that is wider than its screen.
#[derive(Debug, Deserialize)]
pub(crate) struct Overflow {
    pub(crate) width: f64,
    pub(crate) room: f64,
    /// The elements that stick out.
    pub(crate) elements: Vec<Element>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Failed { failed: String },
    Look(Look),
}

/// Looks at the page that is open, in a session with [`AXE`].
pub(crate) async fn look(session: &Session) -> Result<Look> {
    match session.ask(SCRIPT, Vec::new()).await? {
        Answer::Look(look) => Ok(look),
        Answer::Failed { failed } => bail!("axe-core does not work on this page: {failed}"),
    }
}
