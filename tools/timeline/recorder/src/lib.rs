//! Linked into a copy of a listing: logs what Tokio reports while the listing runs.
//!
//! [`run`] is called with the listing's `main`. It listens to Tokio's own reports ([`layer`]), to the marks that the copy
//! has at each await ([`Recorded`]), and to what is printed ([`print`]), and logs them, an entry on each line, to the file
//! that [`FILE`](timeline::log::FILE) names. The crate `timeline` interprets the log later. That keeps the code that
//! runs beside a listing small, and leaves nothing to do when the listing ends, however it ends.

mod clock;
mod layer;
mod mark;
mod print;
mod writer;

pub use mark::{Mark, Recorded};
pub use print::print;

use std::process::{ExitCode, Termination};
use tracing_subscriber::layer::SubscriberExt;

/// Runs the `main` of the listing in a file of this name and records it; returns what `main` returned, as an exit code.
///
/// # Panics
///
/// The log can't be created.
pub fn run<T: Termination>(file: &'static str, main: impl FnOnce() -> T) -> ExitCode {
    writer::open(timeline::log::FILE, file);
    let subscriber = tracing_subscriber::registry().with(layer::TokioLayer);
    // For this thread alone, because a listing may set up logging of its own for the process.
    let code = tracing_core::dispatcher::with_default(&subscriber.into(), main);
    code.report()
}
