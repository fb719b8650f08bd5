//! Wrong: the task that a request spawns is not in its span.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{error, info, instrument};

const LIMIT: Duration = Duration::from_secs(10);

// ANCHOR: wrong
#[instrument(level = "error")]
async fn request(number: u32) {
    info!("is placed");
    let mut tasks = JoinSet::new();
    tasks.spawn(send_mail());
    sleep(Duration::from_millis(10)).await;
    info!("is answered");
    match timeout(LIMIT, tasks.join_next()).await {
        Ok(Some(Ok(()))) => {}
        lost => error!(?lost, "the mail is lost"),
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
    fn threads_and_the_span_of_a_spawned_task() {
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
