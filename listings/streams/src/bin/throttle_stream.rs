//! No two items within 100 ms, and none is left out.

use futures::{Stream, StreamExt};
use tokio::time::{Duration, Instant, sleep_until};

// ANCHOR: throttle
/// Sends each text message, at least 100 ms after the one before.
/// What comes meanwhile waits where it comes from.
async fn send_all(
    messages: impl Stream<Item = u32>,
    mut send: impl AsyncFnMut(u32),
) {
    let pause = Duration::from_millis(100);
    let messages = tokio_stream::StreamExt::throttle(messages, pause);
    let mut messages = std::pin::pin!(messages);
    while let Some(message) = messages.next().await {
        send(message).await;
    }
}
// ANCHOR_END: throttle

/// Three messages at once, one that is late, and one right after it.
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

async fn times() -> Vec<(u128, u32)> {
    let start = Instant::now();
    let mut sent = Vec::new();
    let send = async |message| {
        sent.push((start.elapsed().as_millis(), message));
    };
    send_all(messages(), send).await;
    sent
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (at, message) in times().await {
        println!("{at:>3} ms  message {message}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_keeps_its_distance() {
        let expected = [(0, 1), (100, 2), (200, 3), (650, 4), (750, 5)];
        assert_eq!(times().await, expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn none_is_left_out() {
        let mut sent = Vec::new();
        let few = tokio_stream::iter([1, 2]);
        send_all(few, async |message| sent.push(message)).await;
        assert_eq!(sent, [1, 2]);
    }
}
