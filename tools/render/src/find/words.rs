//! Words as the search compares them. src/find.js has the same rules.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Words that stand everywhere, and so find nothing.
const STOP: &str = "a about after all also an and any are as at be because been before but by can do does each even for from \
    had has have he her here him his how i if in into is it its itself just like many may me more most much my no not \
    now of off on once one only or other our out own s same she so some such t than that the their them then there \
    these they this those to too two under until up us very was we were what when where which while who whom whose \
    why will with would you your";

static STOPS: LazyLock<HashSet<&str>> = LazyLock::new(|| STOP.split(' ').collect());

/// The words of a text that are worth finding it by, stemmed, in order.
pub fn of(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.len() > 1 && !STOPS.contains(word))
        .map(stem)
        .collect()
}

/// A word without its ending: `dropped`, `drops` and `dropping` are `drop`.
pub fn stem(word: &str) -> String {
    let mut stem = word;
    if stem.len() > 3 && stem.ends_with('s') && !stem.ends_with("ss") {
        stem = &stem[..stem.len() - 1];
    }
    for ending in ["ing", "ed", "ation"] {
        if let Some(rest) = stem.strip_suffix(ending).filter(|rest| rest.len() > 2) {
            let mut last = rest.bytes().rev();
            // Dropp-ed, cancell-ed.
            let is_double = last.next() == last.next();
            stem = if is_double {
                &rest[..rest.len() - 1]
            } else {
                rest
            };
            break;
        }
    }
    if stem.len() > 3 {
        stem = stem.strip_suffix('e').unwrap_or(stem);
    }
    stem.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_have_one_stem() {
        for forms in [
            ["drop", "dropped", "dropping", "drops"],
            ["cancel", "cancellation", "canceled", "cancelling"],
            ["hang", "hangs", "hanging", "hanged"],
            ["timeout", "timeouts", "timeout", "timeouts"],
            ["use", "uses", "use", "uses"],
        ] {
            for form in forms {
                assert_eq!(stem(form), stem(forms[0]), "{form}");
            }
        }
        assert_eq!(stem("process"), "process");
    }

    #[test]
    fn words_that_stand_everywhere_are_left_out() {
        assert_eq!(
            of("Why does `JoinSet::join_next` hang? It's the 429!"),
            ["joinset", "join_next", "hang", "429"]
        );
    }
}
