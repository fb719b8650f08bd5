//! Tests and lints that are switched off: a test that doesn't run verifies nothing.

use crate::{failed, numbered, regex};
use model::problem::Problem;
use model::program::ProgramId;
use model::project::Project;
use model::source::Source;
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::LazyLock;

const FIX: &str = "`cargo book new` writes this array";

/// What switches a test or a lint off, and why it must not.
static SWITCHES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (
            r"#!?\[\s*ignore\b",
            "an ignored test verifies nothing; remove #[ignore]",
        ),
        (
            r"#!?\[\s*cfg\w*\((?:any\(\)|not\(all\(\)\)|not\(test\)|never|FALSE|false)",
            "code that is compiled out verifies nothing; remove the cfg",
        ),
        (
            r"#\[\s*should_panic\s*\]",
            "any panic passes this test; say which: #[should_panic(expected = \"...\")]",
        ),
        (
            r"#!?\[\s*(?:allow|expect)\b",
            "this silences a lint; write the code so that the lint doesn't fire",
        ),
        (
            r"\b(?:todo|unimplemented)!",
            "this program isn't finished: todo! or unimplemented!",
        ),
    ]
    .map(|(pattern, why)| (regex(pattern), why))
    .into()
});

/// Tests and lints that are disabled in a listing, in a crate, or in a manifest, and mistakes (listings whose caption
/// starts with `Wrong:`) without a test.
///
/// # Errors
///
/// A listing or manifest can't be read.
pub fn find(project: &Project) -> Result<Vec<Problem>, Problem> {
    let failed = failed("listings");
    let mut listings: BTreeMap<String, Vec<ProgramId>> = BTreeMap::new();
    let mut problems = Vec::new();
    for name in project.listings().map_err(&failed)? {
        let text = project.read(&name.source())?;
        problems.extend(in_source(&name.source(), &text));
        problems.extend(mistake_without_test(&name, &text));
        listings.entry(name.part.clone()).or_default().push(name);
    }
    for file in project.source_files().map_err(&failed)? {
        problems.extend(in_source(&file, &project.read(&file)?));
    }
    for part in project.crates().map_err(&failed)? {
        let file = format!("listings/{part}/Cargo.toml");
        let text = project.read(&file)?;
        let listings = listings.remove(&part).unwrap_or_default();
        problems.extend(in_manifest(&file, &text, &listings));
    }
    Ok(problems)
}

fn in_source(file: &str, text: &str) -> Vec<Problem> {
    let lines = numbered(text).flat_map(|(number, line)| {
        let code = line.split("//").next().unwrap_or_default();
        let switches = SWITCHES
            .iter()
            .filter(move |(switch, _)| switch.is_match(code));
        switches.map(move |(_, why)| Problem::at(file, number, *why))
    });
    lines.collect()
}

/// A listing that shows a mistake needs a test that fails when the mistake no longer does harm.
fn mistake_without_test(name: &ProgramId, text: &str) -> Option<Problem> {
    let is_mistake = Source::parse(text).is_ok_and(|source| source.is_mistake());
    let has_test = text.contains("#[test]") || text.contains("#[tokio::test");
    let message =
        "shows a mistake without a test; add one that fails when the mistake no longer does harm";
    (is_mistake && !has_test).then(|| Problem::of(name.source(), message))
}

/// What keeps a part's tests from running.
///
/// All unit tests of a part are built into one executable, apart from this manifest, so that `cargo test` doesn't
/// link one for each listing. That's why the manifest starts with an array `bin` that has `test = false` for each
/// listing, and nothing else. `test = false` anywhere else disables tests.
fn in_manifest(file: &str, text: &str, listings: &[ProgramId]) -> Vec<Problem> {
    static DISABLES: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\b(?:test|autobins|harness|doctest)\s*=\s*false"));
    let entry = |name: &ProgramId| format!("{{ name = \"{}\", test = false }}", name.name);
    let mut missing: Vec<String> = listings.iter().map(entry).collect();
    missing.sort();
    let mut start = None;
    let mut in_array = false;
    let mut problems = Vec::new();
    for (number, line) in numbered(text) {
        let line = line.trim().trim_end_matches(',');
        if line == "bin = [" && start.is_none() {
            start = Some(number);
            in_array = true;
        } else if in_array && line == "]" {
            in_array = false;
        } else if in_array && missing.first().is_some_and(|next| next == line) {
            missing.remove(0);
        } else if in_array && !line.starts_with('#') {
            // An entry that comes too early isn't missing as well.
            let is_early = missing.iter().position(|entry| entry == line);
            let message = match is_early.map(|at| missing.remove(at)) {
                Some(_) => format!("the entry `{line}` isn't sorted by name"),
                None => format!(
                    "the entry `{line}` has no listing in src/bin, or other keys than name and test"
                ),
            };
            problems.push(Problem::at(file, number, format!("{message}; {FIX}")));
        } else if DISABLES.is_match(line) {
            let message = format!("`{line}` keeps cargo from running tests; remove it");
            problems.push(Problem::at(file, number, message));
        }
    }
    problems.extend(missing.into_iter().map(|entry| {
        let message = format!("the array `bin` has no entry `{entry}`; {FIX}");
        Problem::at(file, start.unwrap_or(1), message)
    }));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use scratch::render;

    #[test]
    fn everything_that_disables_a_test_is_found() {
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
            let found = in_source("a.rs", &format!("fn main() {{}}\n{line}\n"));
            assert_eq!(found.len(), 1, "{line}");
            assert_eq!(found[0].line, Some(2), "{line}");
        }
        let sound =
            "#[cfg(test)]\n#[should_panic(expected = \"x\")]\n// #[ignore]\nlet ignored = 1;\n";
        assert!(in_source("a.rs", sound).is_empty());
    }

    #[test]
    fn the_manifest_names_each_listing_with_its_test_off_and_disables_nothing_else() {
        let listings = ["demo/a", "demo/b"].map(|name| ProgramId::parse(name).expect("a name"));
        let found = |bins: &str, more: &str| {
            let text = format!("bin = [\n{bins}]\n\n[package]\nname = \"demo\"\n{more}");
            render(Ok::<_, Problem>(in_manifest("C.toml", &text, &listings)))
        };
        let a = "    { name = \"a\", test = false },\n";
        let b = "    { name = \"b\", test = false },\n";
        assert_eq!(found(&format!("{a}{b}"), ""), "");
        let other = b.replace(" }", ", harness = false }");
        let disabled = "autobins = false\n[lib]\ntest = false\n";
        let all = [
            found("", ""),
            found(&format!("{b}{a}"), ""),
            found(&format!("{a}{b}{b}"), ""),
            found(&format!("{a}{other}"), disabled),
        ];
        expect![[r#"
            C.toml:1: the array `bin` has no entry `{ name = "a", test = false }`; `cargo book new` writes this array
            C.toml:1: the array `bin` has no entry `{ name = "b", test = false }`; `cargo book new` writes this array
            C.toml:2: the entry `{ name = "b", test = false }` isn't sorted by name; `cargo book new` writes this array
            C.toml:4: the entry `{ name = "b", test = false }` has no listing in src/bin, or other keys than name and test; `cargo book new` writes this array
            C.toml:3: the entry `{ name = "b", test = false, harness = false }` has no listing in src/bin, or other keys than name and test; `cargo book new` writes this array
            C.toml:8: `autobins = false` keeps cargo from running tests; remove it
            C.toml:10: `test = false` keeps cargo from running tests; remove it
            C.toml:1: the array `bin` has no entry `{ name = "b", test = false }`; `cargo book new` writes this array
        "#]].assert_eq(&all.concat());
    }
}
