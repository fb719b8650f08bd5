//! What is known to be wrong, and not yet mended.

use serde::Serialize;

/// An element of the theme that is known to break a rule of axe-core.
///
/// It never holds inside `main`, where the page's own content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// The rule of axe-core.
    pub rule: &'static str,
    /// A CSS selector that the element itself matches.
    pub selector: &'static str,
    /// Why it is so, and what will end it.
    #[serde(skip)]
    pub reason: &'static str,
}
