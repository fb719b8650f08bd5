//! `cargo book drift`: proves that the book's promises are kept, by breaking them in a copy.

use anyhow::{Result, bail};
use drift::check::Outcome;
use drift::promises::promises;
use drift::{Options, Progress, Trial};
use model::Project;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Breaks a copy of the book, reports each breakage, and prints the table.
pub fn drift(project: &Project, options: &Options) -> Result<()> {
    println!("seed {}", options.seed);
    let started = Instant::now();
    let mut position = String::new();
    let trials = drift::drift(project, options, |progress| match progress {
        Progress::Preparing => eprintln!("Copying the book and building its tests..."),
        Progress::Breaking {
            number,
            total,
            breakage,
        } => {
            let seconds = started.elapsed().as_secs();
            position = format!("[{number}/{total} {}:{:02}]", seconds / 60, seconds % 60);
            show_on_terminal(&format!("{position} {}", shortened(&breakage.what, 100)));
        }
        Progress::Done(trial) => {
            show_on_terminal("");
            println!("{position} {}", result(trial));
        }
    })?;
    print!("\n{}", table(&trials)?);
    let missed = trials.iter().filter(|trial| !trial.is_caught()).count();
    let (total, caught) = (trials.len(), trials.len() - missed);
    let each = average(trials.iter()).as_secs_f32();
    println!(
        "{total} breakages, {caught} caught, {each:.1} s each (seed {})",
        options.seed
    );
    if missed > 0 {
        bail!("{missed} breakages were not caught, or not at the right place (above)");
    }
    Ok(())
}

/// Replaces the last line of a terminal. Elsewhere, the lines with results show the progress.
fn show_on_terminal(text: &str) {
    let mut stderr = stderr();
    if stderr.is_terminal() {
        // A terminal that is closed meanwhile shows nothing.
        let _ = write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush());
    }
}

fn result(trial: &Trial) -> String {
    let (number, breakage) = (trial.promise, &trial.breakage);
    let what = &breakage.what;
    match &trial.outcome {
        Outcome::Caught(_) => {
            format!(
                "{number:>2}  caught in {:.1} s: {what}",
                trial.duration.as_secs_f32()
            )
        }
        Outcome::Unnoticed => format!("{number:>2}  UNNOTICED: {what}"),
        Outcome::WrongMessage(output) => format!(
            "{number:>2}  WRONG MESSAGE: {what}\n    expected: the place {} and the words '{}'\n    but the output is:\n{output}",
            breakage.place, breakage.words
        ),
    }
}

/// A row for each promise: breakages, how many were caught, the time for each, and an example of a message.
fn table(trials: &[Trial]) -> Result<String> {
    let mut text = String::from(
        "| # | someone... | breakages | caught | each | message |\n|---|---|---|---|---|---|\n",
    );
    for (number, promise) in (1..).zip(promises()?) {
        let of_promise = || trials.iter().filter(|it| it.promise == number);
        let count = of_promise().count();
        if count == 0 {
            continue;
        }
        let caught = of_promise().filter(|trial| trial.is_caught()).count();
        let each = average(of_promise()).as_secs_f32();
        let example = of_promise().find_map(|trial| match &trial.outcome {
            Outcome::Caught(line) => Some(shortened(line, 150).replace('|', "\\|")),
            _ => None,
        });
        text.push_str(&format!(
            "| {} | {} | {count} | {caught} | {each:.1} s | {} |\n",
            number,
            promise.breach,
            example.unwrap_or_default()
        ));
    }
    Ok(text)
}

fn average<'a>(trials: impl Iterator<Item = &'a Trial> + Clone) -> Duration {
    let count = u32::try_from(trials.clone().count()).unwrap_or(u32::MAX);
    let total: Duration = trials.map(|trial| trial.duration).sum();
    total.checked_div(count).unwrap_or_default()
}

fn shortened(line: &str, length: usize) -> String {
    match line.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
