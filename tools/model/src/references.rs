//! References, `[text][label]` or ``[`label`]``, that a page uses without defining them.

use mdbook_markdown::pulldown_cmark::{BrokenLink, CowStr, LinkType, Options, Parser};
use std::cell::RefCell;

/// A reference without a definition on its page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its line, from 1.
    pub line: usize,
    /// What it refers to, as it stands between the brackets.
    pub label: String,
    /// Whether the label is the text as well: `[label]`, and not `[text][label]`.
    pub is_shortcut: bool,
}

/// What mdBook's parser understands of what can hold or hide a link.
pub const OPTIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_HEADING_ATTRIBUTES);

/// The references that a page does not define, in its order; those of one line that are alike, once.
pub fn undefined(page: &str) -> Vec<Reference> {
    let mut found = undefined_each(page);
    found.dedup();
    found
}

/// Every reference that a page does not define, in its order.
pub fn undefined_each(page: &str) -> Vec<Reference> {
    let found = RefCell::new(Vec::new());
    let callback = |broken: BrokenLink<'_>| -> Option<(CowStr<'_>, CowStr<'_>)> {
        found.borrow_mut().push(Reference {
            line: 1 + page[..broken.span.start].matches('\n').count(),
            label: broken.reference.to_string(),
            is_shortcut: broken.link_type == LinkType::Shortcut,
        });
        None
    };
    let parser = Parser::new_with_broken_link_callback(page, OPTIONS, Some(callback));
    parser.for_each(drop);
    let mut found = found.into_inner();
    // The parser asks about a table's cells when it meets the table.
    found.sort_by_key(|reference| reference.line);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_undefined_and_no_code_is_found() {
        let page = "[a](b.md) [c][d]\n\n[`E::f`], `[g][h]`, [i][j]\n\n| [`k`] |\n|---|\n| [l] |\n\n[j]: x.md\n";
        let found: Vec<_> = undefined(page)
            .into_iter()
            .map(|reference| (reference.line, reference.label, reference.is_shortcut))
            .collect();
        let expected = [
            (1, "d", false),
            (3, "`E::f`", true),
            (5, "`k`", true),
            (7, "l", true),
        ];
        assert_eq!(
            found,
            expected.map(|(line, label, shortcut)| (line, label.to_owned(), shortcut))
        );
    }
}
