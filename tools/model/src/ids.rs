//! Fragments of addresses: what `#` leads to.

use std::collections::HashSet;

/// The fragment that mdBook gives a heading.
pub fn heading_id(title: &str) -> String {
    let lower = title.trim().to_lowercase();
    lower
        .chars()
        .filter_map(|c| match c {
            c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c),
            c if c.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

/// The same, with a number where the page has it already.
pub fn unique(id: String, used: &mut HashSet<String>) -> String {
    let mut candidate = id.clone();
    for number in 1.. {
        if used.insert(candidate.clone()) {
            break;
        }
        candidate = format!("{id}-{number}");
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_have_the_fragments_that_mdbook_gives_them() {
        assert_eq!(heading_id("`join!` is one task"), "join-is-one-task");
        let mut used = HashSet::new();
        let ids = ["a", "a", "a-1"].map(|id| unique(id.to_owned(), &mut used));
        assert_eq!(ids, ["a", "a-1", "a-1-1"]);
    }
}
