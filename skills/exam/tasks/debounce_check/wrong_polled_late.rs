//! Fails: a_stream_that_works_when_polled_passes, one_that_is_a_little_late_passes, wrong_times_are_found
//! It sleeps, and only then looks whether the stream has a value: one that works when it's polled has seen nothing yet.

use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

pub type Debounce = fn(input: mpsc::Receiver<u32>, quiet: Duration) -> BoxStream<'static, u32>;

pub async fn check(debounce: Debounce) {
    let quiet = Duration::from_millis(1000);
    let (sender, receiver) = mpsc::channel(16);
    let mut output = debounce(receiver, quiet);
    for last in [3, 3, 2] {
        for value in [5, 9, last] {
            sender.send(value).await.unwrap();
            sleep(quiet * 6 / 10).await;
            assert_eq!(output.next().now_or_never(), None, "too early");
        }
        sleep(quiet * 5 / 10).await;
        assert_eq!(output.next().now_or_never(), Some(Some(last)));
        sleep(quiet * 3).await;
        assert_eq!(output.next().now_or_never(), None, "once is enough");
    }
    sender.send(4).await.unwrap();
    drop(sender);
    let next = timeout(quiet / 2, output.next()).await;
    assert_eq!(next.expect("at once"), Some(4));
    let next = timeout(quiet / 2, output.next()).await;
    assert_eq!(next.expect("at once"), None);
}
