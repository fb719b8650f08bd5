//! Outputs: nobody edits them manually.

use super::{outputs_test, pages_test, programs};
use crate::breakage::{Breakage, Check};
use crate::snapshot::BookSnapshot;
use crate::text::{Line, Text, pick, substituted};
use fastrand::Rng;
use pages::uses;

/// Promise 4.
pub fn edited_outputs(snapshot: &BookSnapshot, rng: &mut Rng) -> Vec<Breakage> {
    let mut lines = Vec::new();
    for listing in &snapshot.listings {
        let output = listing.output.iter();
        lines.extend(
            output
                .flat_map(Text::lines)
                .map(|line| (&listing.name, line)),
        );
    }
    let mut breakages = Vec::new();
    let digits = lines
        .iter()
        .filter(|(_, line)| line.text.contains(|c: char| c.is_ascii_digit()));
    if let Some((name, line)) = pick(rng, digits) {
        let other: String = line.text.chars().map(next_digit).collect();
        breakages.push(line.broken("has other numbers", &other, outputs_test(name)));
    }
    // If the next line is the same, the difference is reported at that one.
    let unequal = lines.iter().filter(|(_, line)| {
        let next = line.next().map(|next| next.text);
        line.of.lines().nth(1).is_some() && next != Some(line.text)
    });
    if let Some((name, line)) = pick(rng, unequal) {
        breakages.push(line.breakage("is missing", line.replaced(None), outputs_test(name)));
    }
    if let Some((name, line)) = pick(rng, &lines) {
        breakages.push(one_more_word(line, outputs_test(name)));
    }
    if let Some(used) = pick(rng, snapshot.uses_of("output"))
        && let Some(line) = snapshot.line_of(used)
    {
        let check = pages_test("no_version_number_or_code_is_written_by_hand");
        let typed = "```text\n300 ms  done\n```";
        breakages.push(line.broken("has an output that someone typed", typed, check));
    }
    let tables = snapshot.pages.iter();
    let tables = tables.filter(|page| page.text.contains("\n| Message |"));
    breakages.extend(substituted(
        rng,
        tables.flat_map(Text::lines),
        r"^\| `",
        "| `never printed` `",
        "has a message that nothing prints",
        pages_test("each_message_of_a_table_was_printed"),
    ));
    breakages.extend(edited_skill(snapshot, rng));
    if let Some(name) = pick(rng, &snapshot.unstable)
        && let output = snapshot.file(name.unstable_output())
        && let Some(line) = pick(rng, output.lines())
    {
        let edit = one_more_word(&line, Check::all("unstable")).edits.remove(0);
        breakages.push(programs::unstable("has one more word", name, edit));
    }
    breakages
}

fn next_digit(c: char) -> char {
    let digit = c.to_digit(10).map(|digit| (digit + 1) % 10);
    digit
        .and_then(|digit| char::from_digit(digit, 10))
        .unwrap_or(c)
}

fn one_more_word(line: &Line<'_>, check: Check) -> Breakage {
    line.broken("has one more word", &format!("{} more", line.text), check)
}

/// The skill for coding agents is edited manually.
fn edited_skill(snapshot: &BookSnapshot, rng: &mut Rng) -> Option<Breakage> {
    let files = uses::pages_below(&snapshot.project, "skills");
    let files: Vec<Text> = files.into_iter().map(|file| snapshot.file(file)).collect();
    substituted(
        rng,
        files.iter().flat_map(Text::lines),
        r"\);$",
        "); // Edited.",
        "is edited manually",
        Check::one("skill", "the_skill_is_what_the_book_makes"),
    )
}
