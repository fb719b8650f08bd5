//! Log each event as one line of JSON.

// ANCHOR: json
use tracing::{info, instrument};
use tracing_subscriber::EnvFilter;

/// Needs tracing-subscriber's feature `json`.
fn set_up_tracing() {
    tracing_subscriber::fmt()
        .json()
        // Put the event's fields beside the level, not nested.
        .flatten_event(true)
        // `spans` lists the current span too, so don't repeat it.
        .with_current_span(false)
        .with_env_filter(EnvFilter::new("info"))
        // Don't panic when a line can't be written.
        .log_internal_errors(false)
        .without_time() // Only so that the output here stays the same.
        .init();
}

#[instrument]
async fn charge(order: u32) {
    info!(cents = 1_250, "charged \"Jo & Co\"\nby card");
}
// ANCHOR_END: json

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    set_up_tracing();
    charge(7).await;
}

#[cfg(test)]
mod tests {
    use std::{io::Read, sync::Mutex};

    use super::*;

    /// Returns what the future logs.
    async fn logged(future: impl Future<Output = ()>) -> String {
        use tracing::instrument::WithSubscriber;

        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(Mutex::new(writer))
            .finish();
        future.with_subscriber(subscriber).await;
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        text
    }

    /// Quotes and line breaks are escaped.
    #[tokio::test]
    async fn edges_of_a_message_stay_on_one_line() {
        let text = logged(charge(7)).await;
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(r#"charged \"Jo & Co\"\nby card"#));
        assert!(text.contains(r#""order":7"#), "{text}");
    }

    #[tokio::test]
    async fn edges_of_names_that_exist_twice() {
        let text = logged(async {
            let _span = tracing::info_span!("request").entered();
            info!(level = 1, target = 2, timestamp = 3, spans = 4);
        });
        let text = text.await;
        for name in ["level", "target", "timestamp", "spans"] {
            let keys = text.matches(&format!("\"{name}\":")).count();
            assert_eq!(keys, 2, "{name}: {text}");
        }
    }
}
