//! Change the log filter of a running service.

// ANCHOR: reload
use anyhow::Context;
use tracing_subscriber::{
    EnvFilter, Registry, layer::SubscriberExt, reload,
};

type Filter = reload::Handle<EnvFilter, Registry>;

/// Replaces the filter. After an error, the old filter stays.
fn set_filter(
    current: &Filter,
    directives: &str,
) -> anyhow::Result<()> {
    let new = EnvFilter::builder().parse(directives);
    let new = new.with_context(|| format!("filter {directives:?}"))?;
    Ok(current.reload(new)?)
}
// ANCHOR_END: reload

use tracing_subscriber::util::SubscriberInitExt;

/// A shop that uses tracing, with a library that uses `log`.
fn order(number: u32) {
    tracing::debug!(number, "an order");
    log::debug!("connected to the bank");
}

// ANCHOR: main
fn main() -> anyhow::Result<()> {
    let first = EnvFilter::builder().parse("info")?;
    let (filter, current) = reload::Layer::new(first);
    let lines = tracing_subscriber::fmt::layer()
        // Don't panic when a line can't be written.
        .log_internal_errors(false)
        .without_time()
        .with_ansi(false);
    tracing_subscriber::registry().with(filter).with(lines).init();

    order(1);
    if let Err(error) = set_filter(&current, "shop=debgu") {
        println!("not changed: {error:#}");
    }
    order(2);
    set_filter(&current, "debug")?;
    order(3);
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex, MutexGuard, PoisonError},
    };

    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn count(&self) -> usize {
            let written = self.lock();
            written.iter().filter(|&&byte| byte == b'\n').count()
        }
    }

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn with_filter(
        first: &str,
        test: impl FnOnce(&Filter, &Lines) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let first = EnvFilter::builder().parse(first)?;
        let (filter, current) = reload::Layer::new(first);
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone());
        let subscriber =
            tracing_subscriber::registry().with(filter).with(layer);
        with_default(subscriber, || test(&current, &lines))
    }

    #[test]
    fn failure_keeps_the_old_filter() -> anyhow::Result<()> {
        with_filter("info", |current, lines| {
            for bad in ["shop=debgu", "shop=debug,a=b=c"] {
                assert!(set_filter(current, bad).is_err());
                tracing::debug!("hidden");
                tracing::info!("shown");
            }
            assert_eq!(lines.count(), 2);
            Ok(())
        })
    }

    #[test]
    fn again_and_back() -> anyhow::Result<()> {
        with_filter("info", |current, lines| {
            for directives in ["debug", "debug", "info"] {
                set_filter(current, directives)?;
                tracing::debug!("shown twice");
            }
            assert_eq!(lines.count(), 2);
            Ok(())
        })
    }

    #[test]
    fn edges_empty_and_off() -> anyhow::Result<()> {
        with_filter("info", |current, lines| {
            for directives in ["off", ""] {
                set_filter(current, directives)?;
                tracing::info!("hidden");
            }
            set_filter(current, "trace")?;
            tracing::trace!("shown");
            assert_eq!(lines.count(), 1);
            Ok(())
        })
    }

    /// The subscriber was dropped.
    #[test]
    fn owner_gone_is_an_error() -> anyhow::Result<()> {
        let first = EnvFilter::builder().parse("info")?;
        let (filter, current) = reload::Layer::new(first);
        drop(filter);
        assert!(set_filter(&current, "debug").is_err());
        Ok(())
    }

    #[test]
    fn threads_set_filters() -> anyhow::Result<()> {
        with_filter("info", |current, lines| {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for directives in ["debug", "info", "trace"] {
                            set_filter(current, directives)
                                .expect("a valid filter");
                        }
                    });
                }
            });
            set_filter(current, "debug")?;
            tracing::debug!("shown");
            assert_eq!(lines.count(), 1);
            Ok(())
        })
    }
}
