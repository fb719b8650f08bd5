//! Which levels are shown, by the way the subscriber is set up.

use anyhow::Result;
use tracing::{Level, Subscriber, enabled};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

/// The levels that the current subscriber shows.
fn levels() -> String {
    let shown = [
        (enabled!(Level::ERROR), "ERROR"),
        (enabled!(Level::WARN), " WARN"),
        (enabled!(Level::INFO), " INFO"),
        (enabled!(Level::DEBUG), " DEBUG"),
        (enabled!(Level::TRACE), " TRACE"),
    ];
    let shown = shown.into_iter().filter(|it| it.0).map(|it| it.1);
    let shown: String = shown.collect();
    if shown.is_empty() { "nothing".into() } else { shown }
}

fn levels_of(
    subscriber: impl Subscriber + Send + Sync + 'static,
) -> String {
    tracing::subscriber::with_default(subscriber, levels)
}

// ANCHOR: levels
fn main() -> Result<()> {
    println!("no subscriber                 {}", levels());
    let fmt = tracing_subscriber::fmt;
    println!(
        "fmt().init()                  {}",
        levels_of(fmt().finish())
    );

    let default = LevelFilter::INFO.into();
    let builder = EnvFilter::builder().with_default_directive(default);
    let another = "another_crate=debug";
    for (what, filter) in [
        ("EnvFilter, RUST_LOG unset   ", EnvFilter::new("")),
        ("the same, default INFO      ", builder.parse("")?),
        ("RUST_LOG=another_crate=debug", builder.parse(another)?),
        ("RUST_LOG=log_levels_shown   ", "log_levels_shown".parse()?),
        ("RUST_LOG=inof               ", "inof".parse()?),
        ("try_from_default_env, empty ", EnvFilter::try_new("")?),
        (
            "builder() without a default ",
            EnvFilter::builder().parse("")?,
        ),
    ] {
        let subscriber = fmt().with_env_filter(filter).finish();
        println!("{what}  {}", levels_of(subscriber));
    }

    tracing_subscriber::fmt::init(); // Reads RUST_LOG.
    println!("fmt::init(), RUST_LOG unset   {}", levels());
    Ok(())
}
// ANCHOR_END: levels

#[cfg(test)]
mod tests {
    use super::*;

    fn with_filter(filter: EnvFilter) -> String {
        let fmt = tracing_subscriber::fmt().with_env_filter(filter);
        levels_of(fmt.finish())
    }

    #[test]
    fn an_unset_variable_shows_errors_only() {
        assert_eq!(with_filter(EnvFilter::new("")), "ERROR");
    }

    /// What `try_from_default_env` does if the variable is set to "".
    #[test]
    fn an_empty_variable_that_is_tried_shows_nothing() {
        let filter = EnvFilter::try_new("").expect("it's valid");
        assert_eq!(with_filter(filter), "nothing");
    }

    #[test]
    fn without_a_filter_the_level_is_info() {
        let fmt = tracing_subscriber::fmt().finish();
        assert_eq!(levels_of(fmt), "ERROR WARN INFO");
    }
}
