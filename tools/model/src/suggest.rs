//! "Did you mean ...?"

/// The word that is most like the given one, if any is alike.
pub fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    words
        .map(|known| (strsim::jaro_winkler(word, known), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// `; did you mean `x`?` with the word that is most like the given one; nothing if no word is alike.
pub fn did_you_mean<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> String {
    nearest(word, words).map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}
