//! Fails: wrong_ends_are_found, wrong_values_are_found, extra_values_are_found
//! It awaits each value without a limit, so one that never comes is a hang; and ascending values with one burst tell too little.

use futures::StreamExt;
use futures::stream::BoxStream;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

pub type Debounce = fn(input: mpsc::Receiver<u32>, quiet: Duration) -> BoxStream<'static, u32>;

pub async fn check(debounce: Debounce) {
    let quiet = Duration::from_millis(1000);
    let (sender, receiver) = mpsc::channel(16);
    let mut output = debounce(receiver, quiet);
    let start = Instant::now();
    let feed = tokio::spawn(async move {
        for value in 1..=3 {
            sender.send(value).await.unwrap();
            sleep(Duration::from_millis(700)).await;
        }
        sleep(Duration::from_millis(1300)).await;
        sender.send(4).await.unwrap();
        sleep(Duration::from_millis(500)).await;
    });
    assert_eq!(output.next().await, Some(3));
    let took = start.elapsed().as_millis();
    assert!((2400..=2410).contains(&took), "3 came after {took} ms");
    assert_eq!(output.next().await, Some(4));
    let took = start.elapsed().as_millis();
    assert!((3900..=3910).contains(&took), "4 came after {took} ms");
    feed.await.unwrap();
}
