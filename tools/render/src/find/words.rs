//! The words by which a section is found.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Words that are on every page, so that nothing is found by them.
pub const STOP: &str = "a about after all also an and any are as at be because been before but by can do does each even for from \
    had has have he her here him his how i if in into is it its itself just like many may me more most much my no not \
    now of off on once one only or other our out own s same she so some such t than that the their them then there \
    these they this those to too two under until up us very was we were what when where which while who whom whose \
    why will with would you your";

static STOPS: LazyLock<HashSet<&str>> = LazyLock::new(|| STOP.split(' ').collect());

/// The words of a text that are worth finding it by, in order. (src/search.js takes off their endings.)
pub fn of(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.len() > 1 && !STOPS.contains(word))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_everywhere_are_left_out() {
        assert_eq!(
            of("Why does `JoinSet::join_next` hang? It's the 429!"),
            ["joinset", "join_next", "hang", "429"]
        );
    }
}
