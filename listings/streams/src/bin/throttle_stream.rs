//! At least 100 ms between two items, and none is skipped.

// ANCHOR: throttle
use std::io;

use futures::{Stream, StreamExt};
use tokio::time::{Duration, timeout};

const PAUSE: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(10);

/// Sends text messages, and starts at most one every 100 ms. The
/// others wait in `messages`.
///
/// If dropped, it drops the message that is being sent.
///
/// # Errors
///
/// A message can't be sent, or sending it takes more than ten seconds,
/// so that it may have been sent. The remaining messages are dropped.
async fn send_all<F: Future<Output = io::Result<()>>>(
    messages: impl Stream<Item = u32>,
    mut send: impl FnMut(u32) -> F,
) -> Result<(), NotSent> {
    let messages = tokio_stream::StreamExt::throttle(messages, PAUSE);
    let mut messages = std::pin::pin!(messages);
    while let Some(message) = messages.next().await {
        let sent = timeout(LIMIT, send(message)).await;
        sent.map_err(io::Error::from)
            .flatten()
            .map_err(|source| NotSent { message, source })?;
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("message {message} may not have been sent")]
struct NotSent {
    message: u32,
    source: io::Error,
}
// ANCHOR_END: throttle

use tokio::time::{Instant, sleep_until};

/// Three messages together, one that is late, and one right after it.
fn messages() -> impl Stream<Item = u32> {
    let start = Instant::now();
    let due = [0, 0, 0, 650, 670];
    futures::stream::iter((1..).zip(due)).then(
        move |(message, due)| async move {
            sleep_until(start + Duration::from_millis(due)).await;
            message
        },
    )
}

async fn times() -> Result<Vec<(u128, u32)>, NotSent> {
    let start = Instant::now();
    let mut sent = Vec::new();
    let send = |message| {
        sent.push((start.elapsed().as_millis(), message));
        std::future::ready(Ok(()))
    };
    send_all(messages(), send).await?;
    Ok(sent)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), NotSent> {
    for (at, message) in times().await? {
        println!("{at:>3} ms  message {message}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::ready};

    use futures::stream;
    use hazards::{HOUR, at_every_poll, within};
    use tokio::{sync::mpsc, time::sleep};
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_keeps_the_distance_and_every_message() {
        let expected = [(0, 1), (100, 2), (200, 3), (650, 4), (750, 5)];
        assert_eq!(times().await.expect("sent"), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_send_is_followed_immediately() {
        let start = Instant::now();
        let mut starts = Vec::new();
        let send = |_| {
            starts.push(start.elapsed().as_millis());
            async {
                sleep(Duration::from_millis(250)).await;
                Ok(())
            }
        };
        let sent = send_all(stream::iter(0..3), send).await;
        assert!(sent.is_ok());
        assert_eq!(starts, [0, 250, 500]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_send_bounds_the_queue() {
        let (queue, messages) = mpsc::channel(4);
        let messages = ReceiverStream::new(messages);
        let hangs = |_| std::future::pending();
        let sending = send_all(messages, hangs);
        let fill = async {
            let mut taken = 0;
            while queue.send(taken).await.is_ok() {
                taken += 1;
            }
            taken
        };
        let (sent, taken) = tokio::join!(sending, fill);
        assert!(sent.is_err());
        assert!(taken <= 5, "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_peer_is_an_error() {
        let hangs = |_| std::future::pending();
        let sending = send_all(stream::iter([7]), hangs);
        let error = within(HOUR, sending).await.expect_err("silent");
        assert_eq!(error.message, 7);
        assert_eq!(error.source.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_names_the_message() {
        for fails in [0, 3, 9] {
            let send = |message| {
                let error = io::Error::other("no network");
                ready(if message == fails {
                    Err(error)
                } else {
                    Ok(())
                })
            };
            let sent = send_all(stream::iter(0..10), send).await;
            let error = sent.expect_err("one fails");
            assert_eq!(error.message, fails);
            assert_eq!(error.source.to_string(), "no network");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_sends_nothing_twice() {
        at_every_poll(async |cancel| {
            let sent = RefCell::new(Vec::new());
            let send = |message| {
                sent.borrow_mut().push(message);
                async {
                    tokio::task::yield_now().await;
                    Ok(())
                }
            };
            let sending = send_all(stream::iter(0..5), send);
            cancel.run(sending).await;
            let count = sent.borrow().len() as u32;
            assert!(sent.into_inner().into_iter().eq(0..count));
        })
        .await;
    }

    #[tokio::test]
    async fn edges_no_message() {
        let send = |_| ready(Ok(()));
        assert!(send_all(stream::empty(), send).await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_can_be_spawned() {
        let send = async |_| Ok(());
        let sending = send_all(tokio_stream::iter([1, 2]), send);
        let sent = tokio::spawn(sending).await;
        assert!(sent.expect("no panic").is_ok());
    }
}
