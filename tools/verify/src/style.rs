//! Phrases that the book doesn't use, on its pages, in its documents, and in the comments of its programs.

use crate::{Lines, regex};
use model::problem::Problem;
use model::project::Project;
use model::uses;
use regex::Regex;
use serde::Deserialize;
use std::sync::LazyLock;

/// The phrases, each with what to write instead.
const PHRASES: &str = include_str!("style.toml");

#[derive(Deserialize)]
struct Style {
    phrase: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    find: String,
    write: String,
}

struct Phrases {
    /// Finds any of the phrases; few texts have one.
    any: Regex,
    /// Each phrase, with what to write instead.
    each: Vec<(Regex, String)>,
}

static STYLE: LazyLock<Phrases> = LazyLock::new(|| {
    let style: Style = toml::from_str(PHRASES).expect("style.toml has entries of this form");
    let words = |find: &str| regex(&format!(r"(?i)\b(?:{})\b", find.replace(' ', r"\s+")));
    let all: Vec<_> = style.phrase.iter().map(|it| it.find.as_str()).collect();
    let any = words(&all.join("|"));
    let each = style.phrase.into_iter();
    let each = each.map(|it| (words(&it.find), it.write)).collect();
    Phrases { any, each }
});

/// Phrases to replace on the pages, in the documents, and in the captions and comments of the programs.
///
/// # Errors
///
/// A file can't be read.
pub fn check(project: &Project) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for page in uses::pages_below(project, "src") {
        problems.extend(in_markdown(&page, &project.read(&page)?));
    }
    for document in ["README.md", "CONTRIBUTING.md", "theme/README.md"] {
        problems.extend(in_markdown(document, &project.read(document)?));
    }
    let listings = project.listings()?.into_iter().map(|it| it.source());
    let refused = project.compile_fail_programs()?.into_iter();
    let unstable = project.unstable_programs()?.into_iter();
    let programs = listings.chain(refused.map(|it| it.compile_fail()));
    let programs = programs.chain(unstable.map(|it| it.unstable()));
    for program in programs.chain(project.source_files()?) {
        problems.extend(in_comments(&program, &project.read(&program)?));
    }
    Ok(problems)
}

/// Phrases to replace in Markdown: not in its code, its quoted messages, its addresses, and its directives.
fn in_markdown(file: &str, text: &str) -> Vec<Problem> {
    static NOT_PROSE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"(?ms)^\s*```.*?^\s*```|`[^`]*`|"[^"]*"|\]\([^)]*\)|\]\[[^\]]*\]|\{\{#[^}]*\}\}|https?://\S+"#,
        )
    });
    let blanked = NOT_PROSE.replace_all(text, |found: &regex::Captures<'_>| blank(&found[0]));
    in_prose(file, &blanked)
}

/// Phrases to replace in the comments of a program.
fn in_comments(file: &str, program: &str) -> Vec<Problem> {
    let comments = program.lines().map(|line| {
        let start = line.find("// ").or(line.find("/// ")).or(line.find("//! "));
        let start = start.filter(|at| line[..*at].matches('"').count() % 2 == 0);
        let (code, comment) = line.split_at(start.unwrap_or(line.len()));
        blank(code) + &comment.replace(['/', '!'], " ") + "\n"
    });
    in_markdown(file, &comments.collect::<String>())
}

/// As many characters that are no word, in the same lines.
fn blank(text: &str) -> String {
    let blank = |c: char| match c.is_whitespace() {
        true => c.to_string(),
        false => "#".repeat(c.len_utf8()),
    };
    text.chars().map(blank).collect()
}

fn in_prose(file: &str, text: &str) -> Vec<Problem> {
    if !STYLE.any.is_match(text) {
        return Vec::new();
    }
    let lines = Lines::of(text);
    let found = STYLE.each.iter().flat_map(|(phrase, instead)| {
        let matches = phrase.find_iter(text);
        matches.map(move |found| (found, instead))
    });
    let problem = |(found, instead): (regex::Match<'_>, &String)| {
        let words: Vec<_> = found.as_str().split_whitespace().collect();
        let message = format!("\"{}\": write {instead}", words.join(" "));
        Problem::at(file, lines.at(found.start()), message)
    };
    found.map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn render(problems: Vec<Problem>) -> String {
        problems.iter().map(|it| format!("{it}\n")).collect()
    }

    #[test]
    fn a_phrase_is_found_with_its_line_and_its_replacement() {
        let page = "# Mended\n\nAll of them run at\nonce, for nobody\nwaits.\n\nA fixed `mend()`, \"at once\", [x](anew.md), [x][A::mended].\n\n\
                    ```text\nmended at once\n```\n\n{{#listing tasks/mended}} is gone\n";
        let program = "//! Wrong: it goes on.\nfn mend() {} // told\n/// It is told `mended`.\nlet url = \"https://anew \";\n";
        let found = render(in_markdown("p.md", page)) + &render(in_comments("p.rs", program));
        expect![[r#"
            p.md:1: "Mended": write fix, fixed
            p.md:3: "at once": write immediately; at the same time, concurrently: say which
            p.md:13: "is gone": write closed, dropped, disconnected, lost: the exact verb
            p.md:4: ", for nobody": write because
            p.rs:3: "is told": write gets an error, is notified, sees; silently
            p.rs:1: "goes on": write continues, keeps running, resumes
        "#]]
        .assert_eq(&found);
    }
}
