//! Which step hangs? The one whose span is not closed.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::{Instrument, info_span};
use tracing_subscriber::fmt::format::FmtSpan;

// ANCHOR: steps
async fn place_order() {
    sleep(Duration::from_millis(5))
        .instrument(info_span!("reserve"))
        .await;
    std::future::pending::<()>().instrument(info_span!("charge")).await;
    sleep(Duration::from_millis(5))
        .instrument(info_span!("ship"))
        .await;
}

fn set_up_tracing() {
    tracing_subscriber::fmt()
        // A line when a span is created, and one when it's closed.
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        // Don't panic when a line can't be written.
        .log_internal_errors(false)
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .init();
}
// ANCHOR_END: steps

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    set_up_tracing();
    let order =
        place_order().instrument(info_span!("order", number = 7));
    let mut order = std::pin::pin!(order);
    let hour = Duration::from_secs(3600);
    if timeout(hour, order.as_mut()).await.is_err() {
        println!("An hour later, the order still hasn't been placed.");
        // Returning would drop the order, and that closes its spans.
        std::process::exit(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, sync::Mutex};
    use tokio::runtime::Builder;

    #[test]
    fn silence_leaves_a_span_that_is_never_closed() {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
            .with_ansi(false)
            .with_writer(Mutex::new(writer))
            .finish();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let text =
            tracing::subscriber::with_default(subscriber, || {
                runtime.block_on(async {
                    let mut order = std::pin::pin!(place_order());
                    let short = Duration::from_millis(100);
                    assert!(
                        timeout(short, order.as_mut()).await.is_err()
                    );
                    let mut bytes = [0; 4096];
                    let length =
                        reader.read(&mut bytes).expect("lines");
                    String::from_utf8_lossy(&bytes[..length])
                        .into_owned()
                })
            });
        assert_eq!(text.matches("charge").count(), 1, "{text}");
        assert_eq!(text.matches("reserve").count(), 2, "{text}");
        assert!(!text.contains("ship"), "{text}");
    }

    #[test]
    fn cancel_closes_the_span_that_was_waiting() {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
            .with_ansi(false)
            .with_writer(Mutex::new(writer))
            .finish();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        tracing::subscriber::with_default(subscriber, || {
            let short = Duration::from_millis(100);
            let order = async { timeout(short, place_order()).await };
            assert!(runtime.block_on(order).is_err());
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        assert_eq!(text.matches("charge").count(), 2, "{text}");
    }
}
