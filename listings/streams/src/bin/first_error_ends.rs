//! What happens to the other emails when one fails.

// ANCHOR: two_ways
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

/// Returns the first error. Emails in flight are dropped, and any of
/// them may or may not have been sent.
async fn all_or_error(
    mails: u64,
    server: &Server,
) -> Result<Vec<u64>, NotSent> {
    stream::iter(1..=mails)
        .map(|mail| deliver(mail, server))
        .buffer_unordered(4)
        .try_collect()
        .await
}

/// Returns an outcome for every email, as they finish: one that fails,
/// hangs, or panics doesn't affect the others.
async fn each_on_its_own(
    mails: u64,
    server: &Server,
) -> Vec<Result<u64, NotSent>> {
    stream::iter(1..=mails)
        .map(|mail| deliver(mail, server))
        .buffer_unordered(4)
        .collect()
        .await
}
// ANCHOR_END: two_ways

// ANCHOR: deliver
use std::{any::Any, panic::AssertUnwindSafe};
use tokio::time::{Duration, timeout};

const LIMIT: Duration = Duration::from_secs(5);

/// Sends one email. Every error names the email that it belongs to.
async fn deliver(mail: u64, server: &Server) -> Result<u64, NotSent> {
    // The future is dropped inside, so a panic in `drop` is caught.
    let sending = async { timeout(LIMIT, server.send(mail)).await };
    match AssertUnwindSafe(sending).catch_unwind().await {
        Ok(Ok(Ok(()))) => Ok(mail),
        Ok(Ok(Err(Bounced))) => Err(NotSent::Bounced(mail)),
        Ok(Err(_elapsed)) => Err(NotSent::NoAnswer(mail)),
        Err(panic) => Err(NotSent::Panicked(mail, message(panic))),
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
enum NotSent {
    #[error("mail {0} came back")]
    Bounced(u64),
    #[error("mail {0}: no answer, so it may have been sent")]
    NoAnswer(u64),
    #[error("mail {0}: {1}, so it may have been sent")]
    Panicked(u64, String),
}

/// The text of a panic.
fn message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => match panic.downcast_ref::<&str>() {
            Some(text) => (*text).to_owned(),
            None => "no text".to_owned(),
        },
    }
}
// ANCHOR_END: deliver

use std::sync::Mutex;
use tokio::time::{Instant, sleep};

struct Bounced;

/// Takes 10 ms for the first mail, 20 ms for the second, and so on.
#[derive(Default)]
struct Server {
    bounces: Vec<u64>,
    hangs: Vec<u64>,
    panics: Vec<u64>,
    sent: Mutex<Vec<u64>>,
}

impl Server {
    async fn send(&self, mail: u64) -> Result<(), Bounced> {
        #[cfg(test)]
        let _guard = tests::PanicsInDrop(mail);
        if self.hangs.contains(&mail) {
            std::future::pending::<()>().await;
        }
        sleep(Duration::from_millis(10 * mail)).await;
        assert!(
            !self.panics.contains(&mail),
            "mail {mail} has no subject"
        );
        if self.bounces.contains(&mail) {
            return Err(Bounced);
        }
        self.sent.lock().expect("no panic here").push(mail);
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let bounces = vec![3];
    let server = Server { bounces, ..Server::default() };
    let start = Instant::now();
    let outcome = all_or_error(8, &server).await;
    println!("{} ms  {outcome:?}", start.elapsed().as_millis());
    let start = Instant::now();
    let outcomes = each_on_its_own(8, &server).await;
    println!("{} ms", start.elapsed().as_millis());
    for outcome in outcomes {
        match outcome {
            Ok(mail) => println!("  mail {mail} sent"),
            Err(error) => println!("  {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hazards::{HOUR, at_every_poll, some_panic, within};

    use super::*;

    fn server() -> Server {
        Server { bounces: vec![3], ..Server::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn failure_ends_one_way_and_not_the_other() {
        let start = Instant::now();
        let server = server();
        let outcome = all_or_error(8, &server).await;
        assert_eq!(outcome, Err(NotSent::Bounced(3)));
        assert_eq!(start.elapsed().as_millis(), 30);
        // The error doesn't say that nothing was sent.
        let sent = server.sent.into_inner().expect("no panic");
        assert_eq!(sent, [1, 2]);

        let outcomes = each_on_its_own(8, &self::server()).await;
        assert_eq!(outcomes.len(), 8);
        let failed: Vec<_> =
            outcomes.into_iter().filter_map(Result::err).collect();
        assert_eq!(failed, [NotSent::Bounced(3)]);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_all_names_each() {
        let bounces = (1..=8).collect();
        let server = Server { bounces, ..Server::default() };
        let outcomes = each_on_its_own(8, &server).await;
        let expected: Vec<_> =
            (1..=8).map(|mail| Err(NotSent::Bounced(mail))).collect();
        assert_eq!(outcomes, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_more_mails_than_places() {
        let hangs = vec![1, 2, 3, 4, 5];
        let server = Server { hangs, ..Server::default() };
        let outcomes = within(HOUR, each_on_its_own(8, &server)).await;
        for mail in 1..=5 {
            assert!(outcomes.contains(&Err(NotSent::NoAnswer(mail))));
        }
        for mail in 6..=8 {
            assert!(outcomes.contains(&Ok(mail)));
        }
        let outcome = within(HOUR, all_or_error(8, &server)).await;
        assert!(matches!(outcome, Err(NotSent::NoAnswer(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn overload_sends_four_at_a_time() {
        let start = Instant::now();
        let server = Server::default();
        assert_eq!(each_on_its_own(8, &server).await.len(), 8);
        // The last waits for a place until the fourth is sent, at 40.
        assert_eq!(start.elapsed().as_millis(), 120);
        assert!(all_or_error(8, &server).await.is_ok());
        assert_eq!(start.elapsed().as_millis(), 240);
    }

    pub struct PanicsInDrop(pub u64);

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            if self.0 == DROP {
                std::panic::resume_unwind(Box::new("in `drop`"));
            }
        }
    }

    const DROP: u64 = 99;

    #[tokio::test(start_paused = true)]
    async fn panic_in_a_drop_at_the_limit_is_an_error() {
        let server = Server { hangs: vec![DROP], ..Server::default() };
        let error = NotSent::Panicked(DROP, "in `drop`".to_owned());
        assert_eq!(deliver(DROP, &server).await, Err(error));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_some_leaves_the_others() {
        for panics in some_panic(8) {
            let panics: Vec<u64> =
                panics.into_iter().map(|at| at as u64 + 1).collect();
            let server =
                Server { panics: panics.clone(), ..Server::default() };
            let outcomes = each_on_its_own(8, &server).await;
            for mail in 1..=8 {
                let expected = match panics.contains(&mail) {
                    true => {
                        let text =
                            format!("mail {mail} has no subject");
                        Err(NotSent::Panicked(mail, text))
                    }
                    false => Ok(mail),
                };
                assert!(outcomes.contains(&expected), "{mail}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_sends_nothing_twice_and_nothing_later() {
        at_every_poll(async |cancel| {
            let server = server();
            cancel.run(each_on_its_own(8, &server)).await;
            let sent = server.sent.lock().expect("no panic").clone();
            sleep(HOUR).await;
            let later = server.sent.into_inner().expect("no panic");
            assert_eq!(sent, later);
            let all = [1, 2, 4, 5, 6, 7, 8];
            assert_eq!(sent, all[..sent.len()]);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_edges_and_spawning() {
        let server = Arc::new(Server::default());
        let task = tokio::spawn(async move {
            (
                all_or_error(0, &server).await,
                each_on_its_own(2, &server).await,
            )
        });
        let (none, two) = task.await.expect("no panic");
        assert_eq!(none, Ok(vec![]));
        assert_eq!(two, [Ok(1), Ok(2)]);
    }

    #[tokio::test]
    async fn edges_without_a_mail() {
        assert!(each_on_its_own(0, &server()).await.is_empty());
    }
}
