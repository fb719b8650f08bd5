//! What the script in the page reports: axe-core's findings, and the page's width.

use crate::session::Session;
use anyhow::{Result, bail};
use serde::Deserialize;

/// axe-core, as npm has it: what [`look`] needs in every page.
pub(crate) const EQUIPMENT: &str = include_str!("../vendor/axe.min.js");

const SCRIPT: &str = include_str!("look.js");

#[derive(Debug, Deserialize)]
pub(crate) struct Look {
    pub(crate) violations: Vec<Violation>,
    pub(crate) wordless: Vec<Element>,
    pub(crate) overflow: Option<Overflow>,
    /// What moved while the page was loading, and by how much (cumulative layout shift).
    pub(crate) shift: f64,
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
    /// Whether it lies in `main`, and so comes from the page and not from the theme.
    pub(crate) is_content: bool,
    /// What may stand in the page's source as it does in the element, the most telling first.
    pub(crate) clues: Vec<String>,
}

impl Element {
    /// The opening tag, cut where it is long.
    pub(crate) fn shown(&self) -> String {
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
    /// What sticks out.
    pub(crate) elements: Vec<Element>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Failed { failed: String },
    Look(Look),
}

/// Looks at the page that is open, in a session with the [`EQUIPMENT`].
pub(crate) async fn look(session: &Session) -> Result<Look> {
    match session.ask(SCRIPT, Vec::new()).await? {
        Answer::Look(look) => Ok(look),
        Answer::Failed { failed } => bail!("axe-core does not work on this page: {failed}"),
    }
}
