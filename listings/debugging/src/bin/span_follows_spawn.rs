//! A task in the span of the request that spawns it.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{Instrument, error, info, instrument};

const LIMIT: Duration = Duration::from_secs(10);

// ANCHOR: request
/// Waits for the mail, but not longer than [`LIMIT`]. If the request
/// is dropped, its set is too, and aborts the mail.
#[instrument(level = "error", skip(mail))]
async fn request<M>(number: u32, mail: M)
where
    M: Future<Output = ()> + Send + 'static,
{
    info!("is placed");
    let mut tasks = JoinSet::new();
    tasks.spawn(mail.in_current_span());
    sleep(Duration::from_millis(10)).await;
    info!("is answered");
    match timeout(LIMIT, tasks.join_next()).await {
        Ok(Some(Ok(()))) => {}
        lost => error!(?lost, "the mail is lost"),
    }
}
// ANCHOR_END: request

async fn send_mail() {
    info!("the mail is sent");
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
    tokio::join!(request(1, send_mail()), request(2, send_mail()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, sync::Mutex};
    use tokio::runtime::Builder;
    use tracing::instrument::WithSubscriber;

    fn paused() -> Builder {
        let mut runtime = Builder::new_current_thread();
        runtime.start_paused(true);
        runtime
    }

    /// What is logged for request 7, with this task for its mail.
    fn logged<M>(mut runtime: Builder, mail: M) -> String
    where
        M: Future<Output = ()> + Send + 'static,
    {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_target(false)
            .with_writer(Mutex::new(writer))
            .finish();
        let runtime = runtime.enable_all().build().expect("a runtime");
        runtime.block_on(
            async {
                let mail = mail.with_current_subscriber();
                let request = request(7, mail);
                hazards::within(hazards::HOUR, request).await;
                hazards::no_task_left().await;
            }
            .with_subscriber(subscriber),
        );
        drop(runtime);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        text
    }

    #[test]
    fn threads_and_the_span_of_a_spawned_task() {
        for runtime in [paused(), Builder::new_multi_thread()] {
            let text = logged(runtime, send_mail());
            let mail = "request{number=7}: the mail is sent";
            assert!(text.contains(mail), "{text}");
            assert_eq!(text.matches("number=7").count(), 3, "{text}");
        }
    }

    #[test]
    fn panic_of_the_mail_is_logged_in_its_request() {
        let mail = async { panic!("no address") };
        let text = logged(paused(), mail);
        let lost = "ERROR request{number=7}: the mail is lost";
        assert!(text.contains(lost), "{text}");
        assert!(text.contains("no address"), "{text}");
    }

    #[test]
    fn silence_of_the_mail_server_is_logged_in_its_request() {
        let text = logged(paused(), std::future::pending());
        let lost = "ERROR request{number=7}: the mail is lost";
        assert!(text.contains(lost), "{text}");
        assert!(text.contains("Elapsed"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_aborts_the_mail() {
        hazards::at_every_poll(async |cancel| {
            let mail = sleep(Duration::from_millis(100));
            cancel.run(request(7, mail)).await;
            tokio::task::yield_now().await;
            hazards::within(
                Duration::from_millis(1),
                hazards::no_task_left(),
            )
            .await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_no_mail_is_left() {
        let request = request(7, std::future::pending());
        let request = tokio::spawn(request);
        sleep(Duration::from_millis(1)).await;
        request.abort();
        hazards::no_task_left().await;
    }
}
