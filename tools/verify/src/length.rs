//! How long pages are.

use crate::prose;
use model::problem::Problem;
use model::project::Project;
use model::uses;

/// The most words of prose that a page may have: about seven minutes of reading.
pub const LONGEST: usize = 1500;

/// Pages with more than [`LONGEST`] words, each with the line where it passes that.
pub fn too_long(project: &Project) -> Vec<Problem> {
    let pages = uses::pages(project);
    let pages = pages.iter();
    pages
        .filter_map(|page| excess(&page.file, &page.text))
        .collect()
}

fn excess(file: &str, page: &str) -> Option<Problem> {
    let mut words = 0;
    let mut passed_at = None;
    for text in prose::texts(page) {
        words += text.words.split_whitespace().count();
        if words > LONGEST {
            passed_at.get_or_insert(text.line);
        }
    }
    let message = format!(
        "{words} words of prose, and a page may have {LONGEST}; the limit is passed here; split the page in two"
    );
    Some(Problem::at(file, passed_at?, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_prose_counts_and_the_line_is_named() {
        let page = |words: usize, more: &str| {
            let code = "code ".repeat(LONGEST);
            format!(
                "# Page\n\n{}\n\n```console\n{code}\n```\n\n{{{{#listing a/b}}}}\n\n{more}\n",
                "word ".repeat(words)
            )
        };
        assert_eq!(excess("p.md", &page(LONGEST - 1, "")), None);
        let problem = excess("p.md", &page(LONGEST - 1, "one more")).expect("it is too long");
        assert_eq!(
            problem.to_string(),
            "p.md:11: 1502 words of prose, and a page may have 1500; the limit is passed here; split the page in two"
        );
    }
}
