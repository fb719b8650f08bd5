//! Set up tracing once, in `main`.

use tracing::{debug, error, info, warn};
use tracing_subscriber::EnvFilter;

// ANCHOR: setup
/// What is logged where the variable RUST_LOG is not set: this
/// service, and what other crates warn of.
const DEFAULT: &str = "warn,shop=info";

fn filter() -> EnvFilter {
    EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(DEFAULT))
}

fn set_up_tracing() {
    tracing_subscriber::fmt()
        .with_env_filter(filter())
        // What the book prints is the same in each run.
        .without_time()
        .with_ansi(false)
        .init();
}
// ANCHOR_END: setup

// ANCHOR: events
fn place_order(number: u32, items: usize) {
    debug!(target: "shop", number, "is read");
    if items == 0 {
        warn!(target: "shop", number, "has no items");
        return;
    }
    info!(target: "shop", number, items, "is placed");
}
// ANCHOR_END: events

fn main() {
    set_up_tracing();
    place_order(7, 3);
    place_order(8, 0);
    info!(target: "http", "a connection is open");
    error!(target: "http", "a connection broke");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, sync::Mutex};

    /// For each place, tracing remembers whether anyone listens: two
    /// tests with other filters take turns.
    static TURN: Mutex<()> = Mutex::new(());

    fn logged(directives: &str) -> String {
        let _turn = TURN.lock().expect("no test panics");
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(directives))
            .with_writer(Mutex::new(writer))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            place_order(7, 3);
            info!(target: "http", "a connection is open");
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        text
    }

    #[test]
    fn the_default_leaves_out_what_others_tell() {
        let text = logged(DEFAULT);
        assert!(
            text.contains("is placed") && !text.contains("is read")
        );
        assert!(!text.contains("a connection is open"));
    }

    #[test]
    fn a_directive_shows_more_of_one_target() {
        let text = logged("off,shop=debug");
        assert!(text.contains("is read"));
        assert!(!text.contains("a connection"));
    }
}
