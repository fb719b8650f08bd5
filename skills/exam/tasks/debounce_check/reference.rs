//! It polls the output while it feeds the input, lets time pass instead of jumping, and bounds its wait.

use futures::StreamExt;
use futures::stream::BoxStream;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

pub type Debounce = fn(input: mpsc::Receiver<u32>, quiet: Duration) -> BoxStream<'static, u32>;

const QUIET: u64 = 1000;

pub async fn check(debounce: Debounce) {
    // The end comes with nothing to yield.
    expect(debounce, &[], 500, &[]).await;
    expect(debounce, &[(0, 1)], 5000, &[(1000, 1)]).await;
    // Several bursts that are longer than `QUIET`, the first two with the same last value; the
    // end interrupts the third.
    let values = [
        (0, 5),
        (600, 9),
        (1200, 3),
        (9000, 4),
        (9700, 3),
        (15_000, 1),
        (15_900, 8),
        (16_800, 7),
    ];
    let yielded = [(2200, 3), (10_700, 3), (17_000, 7)];
    expect(debounce, &values, 17_000, &yielded).await;
}

/// Feeds values at times, ends the input, and compares what comes out when. Times are in ms.
async fn expect(debounce: Debounce, values: &[(u64, u32)], end: u64, expected: &[(u64, u32)]) {
    let start = Instant::now();
    let at = |time| sleep(Duration::from_millis(time).saturating_sub(start.elapsed()));
    let (sender, input) = mpsc::channel(16);
    let mut output = debounce(input, Duration::from_millis(QUIET));
    let feed = async move {
        for &(time, value) in values {
            at(time).await;
            sender.send(value).await.expect("the input isn't read");
        }
        at(end).await;
    };
    let mut yielded = Vec::new();
    let collect = async {
        while let Some(value) = output.next().await {
            yielded.push((start.elapsed().as_millis() as u64, value));
            assert!(yielded.len() <= expected.len(), "too many: {yielded:?}");
        }
        start.elapsed().as_millis() as u64
    };
    let both = async { tokio::join!(collect, feed).0 };
    let ended = timeout(Duration::from_secs(60), both).await;
    let ended = ended.expect("the stream doesn't end");
    assert!((end..=end + 10).contains(&ended), "it ended at {ended}");
    let is_right = |(got, due): (&(u64, u32), &(u64, u32))| {
        got.1 == due.1 && (due.0..=due.0 + 10).contains(&got.0)
    };
    let are_right = yielded.iter().zip(expected).all(is_right);
    assert!(
        yielded.len() == expected.len() && are_right,
        "yielded {yielded:?} instead of {expected:?}"
    );
}
