//! Linked into a copy of a listing: writes down what Tokio reports while the listing runs.
//!
//! [`run`] stands around the listing's `main`. It listens to Tokio's own reports ([`layer`]), to the marks
//! that the copy has at each await ([`Recorded`]) and to what is printed ([`print`]), and writes a log of
//! them, an entry on each line, to the file that [`FILE`](timeline::log::FILE) names. What the log means is made out elsewhere,
//! by the crate `timeline`: so the code that runs beside a listing is small, and nothing of it is left to
//! do when the listing ends, however it does.

mod clock;
mod layer;
mod mark;
mod print;
mod writer;

pub use mark::{Mark, Recorded};
pub use print::print;

use std::process::{ExitCode, Termination};
use tracing_subscriber::layer::SubscriberExt;

/// Runs the `main` of the listing in a file of this name and records it; returns what it returned, as an exit code.
///
/// # Panics
///
/// There is no file to write to.
pub fn run<T: Termination>(file: &'static str, main: impl FnOnce() -> T) -> ExitCode {
    writer::open(timeline::log::FILE, file);
    let subscriber = tracing_subscriber::registry().with(layer::Reports);
    // For this thread alone: a listing may set up logging of its own for the process.
    let code = tracing_core::dispatcher::with_default(&subscriber.into(), main);
    code.report()
}
