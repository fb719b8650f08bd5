//! Wrong: a span stays entered while its request waits.

use std::time::Duration;

use tokio::time::sleep;
use tracing::{info, info_span};

// ANCHOR: wrong
/// Wrong: at the `.await`, the request pauses but its span stays
/// entered. Whatever the thread polls next logs in that span.
async fn handle(number: u32) {
    let _entered = info_span!("request", number).entered();
    info!("is read");
    sleep(Duration::from_millis(10)).await;
    info!("is answered");
}
// ANCHOR_END: wrong

async fn handle_both() {
    tokio::join!(handle(1), handle(2));
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    tracing_subscriber::fmt()
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

    fn logged(mut runtime: Builder) -> String {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(Mutex::new(writer))
            .finish();
        let runtime = runtime.enable_all().build().expect("a runtime");
        tracing::subscriber::with_default(subscriber, || {
            runtime.block_on(handle_both());
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        text
    }

    #[test]
    fn the_second_request_is_logged_in_the_first() {
        let text = logged(Builder::new_current_thread());
        let nested = "request{number=1}:request{number=2}: ";
        assert_eq!(text.matches(nested).count(), 2, "{text}");
    }

    #[test]
    fn threads_of_two_requests_and_their_spans() {
        let text = logged(Builder::new_multi_thread());
        let nested = "request{number=1}:request{number=2}: ";
        assert_eq!(text.matches(nested).count(), 2, "{text}");
    }
}
