//! `cargo book`: builds, serves and keeps the book.

mod bless;
mod build;
mod drift;
mod files;
mod formats;
mod new;
mod serve;
mod watch;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use model::{ListingName, Project};
use std::path::PathBuf;
use std::process::ExitCode;

/// Reads, builds and keeps the book Rust Async Patterns.
#[derive(Parser)]
#[command(name = "cargo book", bin_name = "cargo book", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the book, serve it on this machine, and reload the browser when something changes
    Serve {
        /// The port on 127.0.0.1; 0 takes any free one
        #[arg(long, default_value_t = 3000)]
        port: u16,
        /// Open the book in the browser
        #[arg(long)]
        open: bool,
    },
    /// Build the static site into `book/`, with its EPUB and its Markdown
    Build {
        /// Print the PDF as well, and link it; needs Chromium
        #[arg(long)]
        pdf: bool,
    },
    /// Write the whole book as an EPUB, for e-book readers
    Epub {
        /// The file to write; target/export/ has it where none is named
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Write the whole book as a PDF, for paper; needs Chromium
    Pdf {
        /// The file to write; target/export/ has it where none is named
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Write what the book knows as a skill for coding agents, to skills/
    Skill,
    /// Run listings and accept what they print, how their tasks move, and what the compiler says, as what
    /// the book shows
    Bless {
        /// Run nothing; look up the APIs that the pages name, and where their documentation is
        #[arg(long, conflicts_with = "listings")]
        api_links: bool,
        /// Which listings, as part/name; all of them where none is named
        #[arg(value_parser = ListingName::parse)]
        listings: Vec<ListingName>,
    },
    /// Start a new listing, and print the lines that put it on a page
    New {
        /// Its name, as part/name: tasks/my_listing
        #[arg(value_parser = ListingName::parse)]
        listing: ListingName,
    },
    /// Break a copy of the book in every way that its tests promise to notice, and demand that they do
    Drift {
        /// Which places are broken; the same seed breaks the same ones
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many seeds to try, from that one on
        #[arg(long, default_value_t = 1)]
        rounds: u64,
        /// Fix every mistake, and not only a sample of them
        #[arg(long)]
        all: bool,
        /// Break only this promise, by its number; may be given several times
        #[arg(long = "promise", value_name = "NUMBER")]
        promises: Vec<usize>,
    },
    /// Speak mdBook's protocol for preprocessors (book.toml names this for the stock `mdbook`)
    #[command(hide = true)]
    Preprocessor {
        #[command(subcommand)]
        question: Option<Question>,
    },
}

#[derive(Subcommand)]
enum Question {
    /// Whether pages can be expanded for a renderer: always
    Supports { renderer: String },
}

fn main() -> ExitCode {

    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    if let Command::Preprocessor { question } = command {
        return match question {
            Some(Question::Supports { .. }) => Ok(()),
            None => render::preprocessor::serve_stock_mdbook(std::io::stdin(), std::io::stdout()),
        };
    }
    let folder = std::env::current_dir().context("cannot tell in which folder this runs")?;
    let project = Project::find(&folder)?;
    match command {
        Command::Serve { port, open } => serve::serve(&project, port, open),
        Command::Build { pdf } => build::build(&project, pdf),
        Command::Epub { to } => formats::epub(&project, to),
        Command::Pdf { to } => formats::pdf(&project, to),
        Command::Skill => formats::skill(&project),
        Command::Bless {
            api_links: true, ..
        } => bless::bless_api_links(&project).map(drop),
        Command::Bless { listings, .. } => bless::bless(&project, listings),
        Command::Drift {
            seed,
            rounds,
            all,
            promises,
        } => drift::drift(
            &project,
            &::drift::Options {
                seed,
                rounds,
                all,
                promises,
            },
        ),
        Command::New { listing } => new::new(&project, &listing),
        Command::Preprocessor { .. } => Ok(()),
    }
}

/// An error with its causes, a line each; a list of problems in the book as it is.
fn told(error: &anyhow::Error) -> String {
    if let Some(problems) = error.downcast_ref::<model::Problems>() {
        return format!("the book has problems:\n{problems}");
    }
    format!("{error:#}")
}
