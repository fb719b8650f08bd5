//! `cargo book`: builds, serves and keeps the book.

mod bless;
mod build;
mod check;
mod drift;
mod files;
mod find;
mod formats;
mod new;
mod progress;
mod serve;
mod watch;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use model::{ProgramId, Project};
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
        /// Run nothing; add the addresses of new pages and headings to published.txt
        #[arg(long, conflicts_with_all = ["api_links", "listings"])]
        addresses: bool,
        /// Which listings, as part/name; all of them where none is named
        #[arg(value_parser = ProgramId::parse)]
        listings: Vec<ProgramId>,
    },
    /// Say everything that is wrong with a page or a listing: its text, its links, and what its programs print
    Check {
        /// Pages (tasks/waiting) and listings (tasks/join_set); all pages, without their programs, by default
        #[arg(value_name = "PAGE|LISTING")]
        names: Vec<String>,
    },
    /// Print what the search box of the page "Find" would show
    Find {
        /// What a reader types: "memory grows", a message, or a question
        #[arg(required = true, value_name = "WORDS")]
        words: Vec<String>,
        /// How many sections to print, the best first
        #[arg(long, default_value_t = 5)]
        most: usize,
    },
    /// Start a listing, a mistake with its fix, or a page, with the lines that other files need for it
    New(new::New),
    /// Break a copy of the book in every way that its tests promise to notice, and demand that they do
    Drift(::drift::Options),
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
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", format_error(&error));
            ExitCode::FAILURE
        }
    }
}

/// Runs a command. False: it did its work, and what it found is a failure.
fn run(command: Command) -> Result<bool> {
    if let Command::Preprocessor { question } = command {
        return match question {
            Some(Question::Supports { .. }) => Ok(true),
            None => render::preprocessor::serve_stock_mdbook(std::io::stdin(), std::io::stdout())
                .map(|()| true),
        };
    }
    let folder = std::env::current_dir().context("cannot find out the current folder")?;
    let project = Project::find(&folder)?;
    match command {
        Command::Serve { port, open } => serve::serve(&project, port, open)?,
        Command::Build { pdf } => build::build(&project, pdf)?,
        Command::Epub { to } => formats::epub(&project, to)?,
        Command::Pdf { to } => formats::pdf(&project, to)?,
        Command::Skill => formats::skill(&project)?,
        Command::Check { names } => return check::check(&project, &names),
        Command::Bless {
            api_links: true, ..
        } => drop(bless::bless_api_links(&project)?),
        Command::Bless {
            addresses: true, ..
        } => bless::bless_addresses(&project)?,
        Command::Bless { listings, .. } => bless::bless(&project, listings)?,
        Command::Find { words, most } => return find::find(&project, &words.join(" "), most),
        Command::Drift(options) => drift::drift(&project, &options)?,
        Command::New(new) => new::new(&project, &new)?,
        Command::Preprocessor { .. } => {}
    }
    Ok(true)
}

/// An error with its causes on one line; a list of problems in the book as it is.
fn format_error(error: &anyhow::Error) -> String {
    if let Some(problems) = error.downcast_ref::<model::Problems>() {
        return format!("the book has problems:\n{problems}");
    }
    format!("{error:#}")
}
