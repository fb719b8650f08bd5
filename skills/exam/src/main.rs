//! Grades a folder of solutions: `cargo run --package exam -- FOLDER`.

use anyhow::{Context, Result};
use clap::Parser;
use exam::grade;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the tests of each task against a folder of solutions, and prints how many passed.
#[derive(Parser)]
struct Arguments {
    /// A folder with one file for each task: gate.rs for tasks/gate/task.md
    folder: PathBuf,
    /// Only these tasks
    #[arg(long = "task")]
    tasks: Vec<String>,
    /// How often each test runs; it passes if it always does
    #[arg(long, default_value_t = 1)]
    times: usize,
    /// Print what each failed test said
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let folder = arguments.folder.canonicalize();
    let folder = folder.with_context(|| arguments.folder.display().to_string())?;
    let (candidate, broken) = grade::build(&folder)?;
    let cases = grade::cases(&candidate)?;
    let (mut passed, mut total) = (0, 0);
    for task in grade::tasks()? {
        if !arguments.tasks.is_empty() && !arguments.tasks.contains(&task) {
            continue;
        }
        let own: Vec<_> = cases.iter().filter(|it| it.task == task).cloned().collect();
        if own.is_empty() {
            let count = grade::count_tests(&task)?;
            total += count;
            println!("{task:<24} 0 of {count}");
            match broken.iter().find(|(it, _)| *it == task) {
                Some((_, message)) => println!("  doesn't compile:\n{message}"),
                None => println!("  {task}.rs is missing"),
            }
            continue;
        }
        let mut failed = Vec::new();
        for _ in 0..arguments.times.max(1) {
            for outcome in grade::run(&candidate, &own)? {
                if let Some(failure) = outcome.failure
                    && !failed.iter().any(|(test, _)| *test == outcome.case.test)
                {
                    failed.push((outcome.case.test, failure));
                }
            }
        }
        total += own.len();
        passed += own.len() - failed.len();
        println!("{task:<24} {} of {}", own.len() - failed.len(), own.len());
        for (test, failure) in &failed {
            println!("  failed: {test}");
            if arguments.verbose {
                println!("{failure}");
            }
        }
    }
    println!("{passed} of {total} tests passed");
    Ok(if passed == total {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
