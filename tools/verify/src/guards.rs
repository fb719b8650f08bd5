//! Sees that the tests are on: a test that is skipped, or a lint that is silenced, verifies nothing.

use anyhow::Result;
use model::listing::{ListingName, Source};
use model::problem::Problem;
use model::project::Project;
use regex::Regex;
use std::sync::LazyLock;

/// What switches a test or a check of the compiler off, and why it does.
static SWITCHES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (
            r"#!?\[\s*ignore\b",
            "a test that is ignored verifies nothing",
        ),
        (
            r"#!?\[\s*cfg\w*\((?:any\(\)|not\(all\(\)\)|not\(test\)|never|FALSE|false)",
            "code that is compiled away verifies nothing",
        ),
        (
            r"#\[\s*should_panic\s*\]",
            "any panic passes this test; say which: #[should_panic(expected = \"...\")]",
        ),
        (
            r"#!?\[\s*(?:allow|expect)\b",
            "a lint is silenced; write the code so that it has nothing to say",
        ),
        (r"\b(?:todo|unimplemented)!", "something is missing here"),
    ]
    .map(|(pattern, why)| (Regex::new(pattern).expect("a constant expression"), why))
    .into()
});

/// The line of the program that switches something off, and why that must not be.
fn switched_off(file: &str, text: &str) -> Vec<Problem> {
    let lines = text.lines().enumerate();
    let found = lines.flat_map(|(number, line)| {
        let code = line.split("//").next().unwrap_or_default();
        let hits = SWITCHES
            .iter()
            .filter(move |(switch, _)| switch.is_match(code));
        hits.map(move |(_, why)| Problem::at(file, number + 1, *why))
    });
    found.collect()
}

/// Tests and lints that are off in a listing, and mistakes (listings that begin with `Wrong:`) that no
/// test of their own holds on to.
///
/// # Errors
///
/// A listing cannot be read.
pub fn disabled(project: &Project) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for name in project.listings()? {
        let file = name.source();
        let text = project.read(&file)?;
        problems.extend(switched_off(&file, &text));
        problems.extend(mistake_without_test(&name, &text));
    }
    for part in project.parts()? {
        problems.extend(not_tested(project, &part)?);
    }
    Ok(problems)
}

/// A mistake is shown because it fails; if it ever stops failing, its own test says so.
fn mistake_without_test(name: &ListingName, text: &str) -> Option<Problem> {
    let source = Source::parse(text).ok()?;
    let is_mistake = source.caption()?.starts_with(model::listing::WRONG);
    let has_test = text.contains("#[test]") || text.contains("#[tokio::test");
    (is_mistake && !has_test).then(|| {
        Problem::of(
            name.source(),
            "shows a mistake, and has no test of its own that fails when the mistake no longer does harm",
        )
    })
}

/// A manifest that keeps cargo from finding a part's programs or from running their tests.
fn not_tested(project: &Project, part: &str) -> Result<Vec<Problem>> {
    let file = format!("listings/{part}/Cargo.toml");
    let text = project.read(&file)?;
    let off = Regex::new(r"^\s*(?:test|autobins|harness|doctest)\s*=\s*false")
        .expect("a constant expression");
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| off.is_match(line));
    Ok(lines
        .map(|(number, line)| {
            Problem::at(
                &file,
                number + 1,
                format!(
                    "`{}` keeps cargo from testing the listings; remove it",
                    line.trim()
                ),
            )
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_switches_a_test_off_is_found() {
        for line in [
            "#[ignore]",
            "    #[ignore = \"slow\"]",
            "#[cfg(any())]",
            "#![cfg(any())]",
            "#[cfg_attr(any(), test)]",
            "#[should_panic]",
            "#[allow(dead_code)]",
            "#![expect(unused)]",
            "    todo!()",
        ] {
            let found = switched_off("a.rs", &format!("fn main() {{}}\n{line}\n"));
            assert_eq!(found.len(), 1, "{line}");
            assert_eq!(found[0].line, Some(2), "{line}");
        }
        let sound =
            "#[cfg(test)]\n#[should_panic(expected = \"x\")]\n// #[ignore]\nlet ignored = 1;\n";
        assert!(switched_off("a.rs", sound).is_empty());
    }
}
