//! A task in the span of the request that spawns it.

use std::time::Duration;

use tokio::time::sleep;
use tracing::{Instrument, info, instrument};

// ANCHOR: request
#[instrument]
async fn request(number: u32) {
    info!("is placed");
    let mail = tokio::spawn(send_mail().in_current_span());
    sleep(Duration::from_millis(10)).await;
    info!("is answered");
    if mail.await.is_err() {
        info!("the mail was lost");
    }
}
// ANCHOR_END: request

async fn send_mail() {
    info!("the mail is sent");
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    tracing_subscriber::fmt()
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .init();
    tokio::join!(request(1), request(2));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, sync::Mutex};
    use tokio::runtime::Builder;

    /// For each place, tracing remembers whether anyone listens: a test
    /// that does not listen must not ask first while another begins to.
    static TURN: Mutex<()> = Mutex::new(());

    #[test]
    fn the_mail_says_whose_it_is() {
        let _turn = TURN.lock().expect("no test panics");
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_target(false)
            .with_writer(Mutex::new(writer))
            .finish();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        tracing::subscriber::with_default(subscriber, || {
            runtime.block_on(request(7));
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        let mail = "request{number=7}: the mail is sent";
        assert!(text.contains(mail), "{text}");
    }

    #[test]
    fn a_span_goes_from_thread_to_thread() {
        let _turn = TURN.lock().expect("no test panics");
        let runtime =
            Builder::new_multi_thread().build().expect("a runtime");
        runtime.block_on(async {
            let span = tracing::info_span!("request");
            let in_task = async { tracing::Span::current() };
            let task = tokio::spawn(in_task.instrument(span.clone()));
            let there = task.await.expect("it does not panic");
            assert_eq!(there.id(), span.id());
        });
    }
}
