//! `cargo run --package measure`: measures what the book says about cost, and records it.
//!
//! Criterion does the measuring (`benches/` beside this). This runs it several times, one benchmark after the other, and
//! keeps the round in the middle, the quickest and the slowest one, so that what a busy moment did to one
//! round shows.

mod benchmark;
mod machine;

use anyhow::{Context, Result, bail};
use clap::Parser;
use model::measured::{self, Record};
use model::{Problems, Project};
use std::fs;
use std::process::ExitCode;

/// Measures what the book says about cost. Close what else runs: a busy machine measures itself.
#[derive(Parser)]
#[command(name = "measure")]
struct Arguments {
    /// Which benchmarks; all of them where none is named
    names: Vec<String>,
    /// How many times each is measured
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Record nothing; fail where a claim does not hold on this machine
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let folder = std::env::current_dir().context("cannot tell in which folder this runs")?;
    let project = Project::find(&folder)?;
    let known = measured::names(&project);
    if let Some(unknown) = arguments.names.iter().find(|name| !known.contains(name)) {
        bail!(
            "there is no benchmark `{unknown}`; there are {}",
            known.join(", ")
        );
    }
    if arguments.rounds == 0 {
        bail!("--rounds 0 measures nothing; take 1 or more");
    }
    let names = match arguments.names.as_slice() {
        [] => &known,
        named => named,
    };
    let mut broken = Vec::new();
    for name in names {
        let spec = measured::spec(&project, name)?;
        let record = measure(&project, name, arguments.rounds)?;
        if arguments.check {
            for (claim, problem) in measured::checks::broken_claims(&project, name, &spec, &record)
            {
                if claim.needs_idle_cores {
                    eprintln!("{problem}. It needs idle cores, and is not demanded here");
                } else {
                    broken.push(problem);
                }
            }
        } else {
            let file = measured::record_file(name);
            fs::write(project.root().join(&file), text(name, &record)?)
                .with_context(|| format!("cannot write {file}"))?;
            println!("{file} is written");
        }
    }
    Ok(Problems::none_in(broken)?)
}

/// Measures a benchmark so many times.
fn measure(project: &Project, name: &str, rounds: u32) -> Result<Record> {
    let spec = measured::spec(project, name)?;
    let mut all = Vec::new();
    for round in 1..=rounds {
        eprintln!("{name}: round {round} of {rounds}");
        all.push(benchmark::run(project, name)?);
    }
    let source = project.read(&measured::source_file(name))?;
    Ok(Record {
        source: measured::checksum(&source),
        date: jiff::Zoned::now().date().to_string(),
        machine: machine::description()?,
        rust: model::lock::version(project, "rust")?,
        crates: benchmark::crates(project, &source)?,
        rounds,
        times: benchmark::summary(&spec, &all),
    })
}

/// A record as it is written.
fn text(name: &str, record: &Record) -> Result<String> {
    let record = toml::to_string(record).context("a record cannot be written as TOML")?;
    Ok(format!(
        "# What came out of {}: written by `{}`.\n{}",
        measured::source_file(name),
        measured::measure_command(name),
        measured::with_checksum(&record)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::measured::Time;
    use scratch::Scratch;
    use std::collections::BTreeMap;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = Record {
            source: "abc".to_owned(),
            date: "2026-11-23".to_owned(),
            machine: machine::description().expect("the system tells"),
            rust: "1.95.0".to_owned(),
            crates: BTreeMap::from([("tokio".to_owned(), "1.54.1".to_owned())]),
            rounds: 3,
            times: vec![Time {
                row: "all".to_owned(),
                way: "quick".to_owned(),
                median: 2.5,
                least: 2.0,
                most: 4.0,
            }],
        };
        let book = Scratch::sound();
        book.write(
            "benches/records/ways.toml",
            text("ways", &record).expect("it is TOML"),
        );
        let project = Project::open(book.root()).expect("a book");
        let read = measured::record(&project, "ways").expect("it was written");
        assert_eq!(read.times, record.times);
        assert_eq!(read.machine, record.machine);
        assert_eq!(read.crates, record.crates);
    }
}
