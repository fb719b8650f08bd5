//! `cargo book drift`: proves that the book's promises are kept, by breaking them in a copy.

use anyhow::{Result, bail};
use drift::check::Outcome;
use drift::promises::PROMISES;
use drift::{Options, Tried};
use model::Project;
use std::time::Duration;

/// Breaks a copy of the book, tells what became of each breakage, and prints the table.
pub fn drift(project: &Project, options: &Options) -> Result<()> {
    let tried = drift::drift(project, options, tell)?;
    print!("\n{}", table(&tried));
    let missed = tried.iter().filter(|it| !it.is_caught()).count();
    let took: Duration = tried.iter().map(|it| it.took).sum();
    let each = took.as_secs_f64() / f64::from(u32::try_from(tried.len())?.max(1));
    println!(
        "{} breakages, {} caught, {each:.1} s each (seed {})",
        tried.len(),
        tried.len() - missed,
        options.seed
    );
    if missed > 0 {
        bail!("{missed} breakages were not caught as they must be (above)");
    }
    Ok(())
}

fn tell(tried: &Tried) {
    let what = &tried.breakage.what;
    let number = tried.breakage.promise;
    let took = tried.took.as_secs_f32();
    match &tried.outcome {
        Outcome::Caught(_) => println!("{number:>2}  caught in {took:>4.1} s: {what}"),
        Outcome::Unnoticed => println!("{number:>2}  UNNOTICED: {what}"),
        Outcome::Unclear(said) => println!(
            "{number:>2}  UNCLEAR: {what}\n    expected were the place {} and the words: {}\n    but it said:\n{said}",
            tried.breakage.place, tried.breakage.says
        ),
    }
}

/// A row for each promise: breakages, how many were caught, the time for each, and an example of what the
/// check says.
fn table(tried: &[Tried]) -> String {
    let mut text = String::from(
        "| # | someone... | breakages | caught | each | says |\n|---|---|---|---|---|---|\n",
    );
    for promise in PROMISES {
        let of_this: Vec<_> = tried
            .iter()
            .filter(|it| it.breakage.promise == promise.number)
            .collect();
        let Some(count) = u32::try_from(of_this.len()).ok().filter(|count| *count > 0) else {
            continue;
        };
        let caught = of_this.iter().filter(|it| it.is_caught()).count();
        let each = of_this.iter().map(|it| it.took).sum::<Duration>() / count;
        let example = of_this.iter().find_map(|it| match &it.outcome {
            Outcome::Caught(line) => Some(shortened(line)),
            _ => None,
        });
        text.push_str(&format!(
            "| {} | {} | {count} | {caught} | {:.1} s | {} |\n",
            promise.number,
            promise.breach,
            each.as_secs_f32(),
            example.unwrap_or_default()
        ));
    }
    text
}

fn shortened(line: &str) -> String {
    let mut short: String = line.chars().take(150).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short.replace('|', "\\|")
}
