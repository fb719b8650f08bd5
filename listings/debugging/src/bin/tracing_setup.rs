//! Set up tracing once, in `main`.

use tracing::{debug, error, info, warn};
use tracing_subscriber::EnvFilter;

// ANCHOR: setup
use std::ffi::{OsStr, OsString};

/// What is logged if the variable RUST_LOG isn't set: this service,
/// and the warnings of other crates.
const DEFAULT: &str = "warn,shop=info";

/// The filter, and what is wrong with RUST_LOG if it can't be parsed.
fn filter(rust_log: Option<&OsStr>) -> (EnvFilter, Option<String>) {
    // A value that isn't Unicode can't be parsed, so it's reported.
    let directives = rust_log.filter(|it| !it.is_empty());
    let directives = directives.map(OsStr::to_string_lossy);
    match EnvFilter::try_new(directives.as_deref().unwrap_or(DEFAULT)) {
        Ok(filter) => (filter, None),
        Err(error) => {
            (EnvFilter::new(DEFAULT), Some(error.to_string()))
        }
    }
}

/// Call it as `set_up_tracing(std::env::var_os("RUST_LOG"))`.
/// Panics if there is a subscriber already.
fn set_up_tracing(rust_log: Option<OsString>) {
    let (filter, error) = filter(rust_log.as_deref());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A line that can't be written is lost. By default, the
        // error goes to stderr, and that panics if nobody reads stderr.
        .log_internal_errors(false)
        // The book's output is the same in every run.
        .without_time()
        .with_ansi(false)
        .init();
    if let Some(error) = error {
        warn!(target: "shop", ?rust_log, error, "uses {DEFAULT}");
    }
}
// ANCHOR_END: setup

fn main() {
    // A typo, as if somebody had set it in a hurry.
    let typo = || Some("shop=debgu".into());
    set_up_tracing(std::env::var_os("RUST_LOG").or_else(typo));
    place_order(7, 3);
    place_order(8, 0);
    info!(target: "http", "a connection is open");
    error!(target: "http", "a connection broke");
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, sync::Mutex};

    /// For each call site, tracing caches whether a subscriber listens,
    /// so tests with different filters run one after the other.
    static ALONE: Mutex<()> = Mutex::new(());

    fn logged(rust_log: Option<&OsStr>) -> (String, Option<String>) {
        let _alone = ALONE.lock().expect("no test panics");
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let (filter, error) = filter(rust_log);
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(Mutex::new(writer))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            place_order(7, 3);
            info!(target: "http", "a connection is open");
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        (text, error)
    }

    #[test]
    fn the_default_leaves_out_the_debug_events_of_this_service() {
        let (text, error) = logged(None);
        assert_eq!(error, None);
        assert!(
            text.contains("is placed") && !text.contains("is read")
        );
        assert!(!text.contains("a connection is open"));
    }

    #[test]
    fn a_directive_shows_more_of_one_target() {
        let (text, error) = logged(Some("off,shop=debug".as_ref()));
        assert_eq!(error, None);
        assert!(text.contains("is read"));
        assert!(!text.contains("a connection"));
    }

    #[test]
    fn failure_of_a_directive_is_reported_and_the_default_applies() {
        for typo in ["shop=debgu", "shop=info,sqlx=debgu", "\u{fffd}=é"]
        {
            let (text, error) = logged(Some(typo.as_ref()));
            assert!(text.contains("is placed"), "{typo}: {text}");
            assert!(error.is_some(), "{typo}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn edges_a_value_that_is_not_unicode_is_reported() {
        use std::os::unix::ffi::OsStrExt;

        let (text, error) = logged(Some(OsStr::from_bytes(b"\xff")));
        assert!(text.contains("is placed"), "{text}");
        assert!(error.is_some());
    }

    #[test]
    fn edges_an_empty_variable_is_as_good_as_none() {
        let (text, error) = logged(Some("".as_ref()));
        assert_eq!(error, None);
        assert!(text.contains("is placed"), "{text}");
    }

    #[test]
    fn edges_a_single_word_that_is_no_level_is_taken_for_a_target() {
        let (text, error) = logged(Some("inof".as_ref()));
        assert_eq!((text.as_str(), error), ("", None));
    }
}
