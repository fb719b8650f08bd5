//! Prose: it has no code that nothing compiles.

use super::{inserted, pages_test};
use crate::breakage::Breakage;
use crate::snapshot::BookSnapshot;
use fastrand::Rng;

/// Promise 11: every trick by which code has escaped its tests.
pub fn hand_written_code(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let program = "fn main() {\n    let order = 7;\n    println!(\"{order}\");\n}";
    let fence = |info: &str| format!("```{info}\n{program}\n```");
    let indented = |indent: &str, text: &str| {
        let lines: Vec<_> = text.lines().map(|line| format!("{indent}{line}")).collect();
        lines.join("\n")
    };
    let rust = fence("rust");
    let mut tricks: Vec<(String, usize)> = [
        "rust",
        "rs",
        "Rust",
        "rust,ignore",
        "ignore,rust",
        "rust,no_run",
        "rust norun",
        "rust,should_panic",
        "rust,compile_fail",
        "rust,E0277,compile_fail",
        "rust,noplayground",
        "",
        "text",
        "c",
        "ignore",
    ]
    .map(|info| (fence(info), 0))
    .into();
    tricks.extend([
        (indented("> ", &rust), 0),
        (format!("- An item:\n\n{}", indented("  ", &rust)), 2),
        (indented("    ", program), 0),
        (rust.replace("```", "~~~"), 0),
        (format!("<pre>{program}</pre>"), 0),
        (format!("<div>\n{rust}\n</div>"), 0),
        ("`let order = next();`\n`ship(order).await;`".into(), 1),
        ("{{#include ../listings/rustfmt.toml}}".into(), 0),
        (fence("console"), 1),
    ]);
    let check = || pages_test("no_version_number_or_code_is_written_by_hand");
    let inserted =
        |(block, reported): (String, usize)| inserted(snapshot, rng, &block, reported, check());
    let mut breakages: Vec<_> = tricks.into_iter().filter_map(inserted).collect();
    let readme = snapshot.file("README.md");
    breakages.extend(readme.lines().last().map(|last| {
        let what = "is followed by a program";
        let edit = readme.with_end(&format!("\n{rust}\n"));
        last.breakage(what, edit, check())
            .reported_at(last.place_below(2))
    }));
    breakages
}
