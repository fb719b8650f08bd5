//! A span that is entered at each poll, and left at each await.

use std::time::Duration;

use tokio::time::sleep;
use tracing::{Instrument, info, info_span};

// ANCHOR: handle
async fn handle(number: u32) {
    let request = info_span!("request", number);
    async {
        info!("is read");
        sleep(Duration::from_millis(10)).await;
        info!("is answered");
    }
    .instrument(request)
    .await;
}
// ANCHOR_END: handle

async fn handle_both() {
    tokio::join!(handle(1), handle(2));
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    tracing_subscriber::fmt()
        // Don't panic when a line can't be written.
        .log_internal_errors(false)
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .init();
    handle_both().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, sync::Mutex};
    use tokio::runtime::Builder;
    use tracing::instrument::WithSubscriber;

    fn logged(mut runtime: Builder) -> String {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(Mutex::new(writer))
            .finish();
        let runtime = runtime.enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let both = handle_both().with_subscriber(subscriber);
            tokio::spawn(both).await.expect("it does not panic");
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        text
    }

    #[test]
    fn threads_of_two_requests_and_their_spans() {
        let one_thread = Builder::new_current_thread();
        for runtime in [one_thread, Builder::new_multi_thread()] {
            let text = logged(runtime);
            assert!(!text.contains("}:request"), "{text}");
            for number in [1, 2] {
                let span = format!("request{{number={number}}}: ");
                assert_eq!(text.matches(&span).count(), 2, "{text}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_span_at_every_poll() {
        hazards::at_every_poll(async |cancel| {
            let (mut reader, writer) = std::io::pipe().expect("a pipe");
            let subscriber = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(Mutex::new(writer))
                .finish();
            let both = async {
                cancel.run(handle(1)).await;
                handle(2).await;
            };
            both.with_subscriber(subscriber).await;
            let mut text = String::new();
            reader.read_to_string(&mut text).expect("it is text");
            assert!(!text.contains("}:request"), "{text}");
            let second = "request{number=2}: ";
            assert_eq!(text.matches(second).count(), 2, "{text}");
        })
        .await;
    }
}
