//! Wrong: the task that a request spawns is not in its span.

use std::time::Duration;

use tokio::time::sleep;
use tracing::{info, instrument};

// ANCHOR: wrong
#[instrument]
async fn request(number: u32) {
    info!("is placed");
    let mail = tokio::spawn(send_mail());
    sleep(Duration::from_millis(10)).await;
    info!("is answered");
    if mail.await.is_err() {
        info!("the mail was lost");
    }
}
// ANCHOR_END: wrong

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

    #[test]
    fn the_mail_does_not_say_whose_it_is() {
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
        assert!(text.contains("INFO the mail is sent"), "{text}");
        assert_eq!(text.matches("number=7").count(), 2, "{text}");
    }
}
