//! Streams.

use crate::row::{agrees, drop_pending};
use futures::{SinkExt, StreamExt, stream};
use std::cell::Cell;
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, duplex};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio_stream::StreamMap;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::codec::{FramedRead, LinesCodec};

/// Numbers from 1 on, each after a wait.
fn numbers() -> impl stream::Stream<Item = u32> {
    stream::unfold(1, async |number| {
        yield_now().await;
        Some((number, number + 1))
    })
}

#[tokio::test]
async fn stream_next() {
    let mut numbers = pin!(numbers());
    drop_pending!(numbers.next());
    assert_eq!(numbers.next().await, Some(1));
    assert_eq!(numbers.next().await, Some(2));
    agrees("stream_next", "safe", "nothing");
}

#[tokio::test]
async fn buffered_next() {
    let begun = Cell::new(0);
    let jobs = stream::iter(1..=4).map(|job| {
        let begun = &begun;
        async move {
            begun.set(begun.get() + 1);
            yield_now().await;
            job
        }
    });
    let mut jobs = pin!(jobs.buffered(2));
    drop_pending!(jobs.next());
    let all: Vec<_> = jobs.collect().await;
    assert_eq!(all, [1, 2, 3, 4]);
    assert_eq!(begun.get(), 4, "none was begun twice");
    agrees("buffered_next", "safe", "nothing");
}

#[tokio::test]
async fn stream_collect() {
    let mut numbers = pin!(numbers());
    {
        let mut all =
            pin!(numbers.by_ref().take(3).collect::<Vec<_>>());
        assert!(futures::poll!(all.as_mut()).is_pending());
        yield_now().await;
        assert!(futures::poll!(all.as_mut()).is_pending());
    }
    // The first was gathered, and is gone.
    assert_eq!(numbers.next().await, Some(2));
    agrees("stream_collect", "not_safe", "the items collected so far");
}

#[tokio::test]
async fn stream_forward() {
    let (mut sender, mut receiver) = futures::channel::mpsc::channel(0);
    let mut source = stream::iter((1..=4).map(Ok));
    drop_pending!(sender.send_all(&mut source));
    let mut arrived = Vec::new();
    while let Ok(item) = receiver.try_recv() {
        arrived.push(item);
    }
    let left: Vec<_> = source
        .map(|it: Result<u32, _>| it.expect("it is Ok"))
        .collect()
        .await;
    assert_eq!((arrived, left), (vec![1], vec![3, 4]));
    agrees(
        "stream_forward",
        "not_safe",
        "an item that was received but not yet sent",
    );
}

#[tokio::test]
async fn framed_next() -> io::Result<()> {
    let (ours, mut theirs) = duplex(64);
    let mut lines = FramedRead::new(ours, LinesCodec::new());
    theirs.write_all(b"ab").await?;
    drop_pending!(lines.next());
    theirs.write_all(b"cd\n").await?;
    let line = lines.next().await.expect("a line");
    assert_eq!(line.map_err(io::Error::other)?, "abcd");
    agrees("framed_next", "safe", "nothing");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn chunks_timeout() {
    let (sender, orders) = mpsc::channel(8);
    let mut batches = pin!(tokio_stream::StreamExt::chunks_timeout(
        ReceiverStream::new(orders),
        2,
        Duration::from_secs(1),
    ));
    sender.send(1).await.expect("there is room");
    drop_pending!(batches.next());
    sender.send(2).await.expect("there is room");
    assert_eq!(batches.next().await, Some(vec![1, 2]));
    agrees("chunks_timeout", "safe", "nothing");
}

#[tokio::test]
async fn stream_map() {
    let (sender, orders) = mpsc::channel(8);
    let mut shops = StreamMap::new();
    shops.insert("books", ReceiverStream::new(orders));
    let mut batch = Vec::new();
    drop_pending!(shops.next());
    drop_pending!(shops.next_many(&mut batch, 8));
    for order in 1..=2 {
        sender.send(order).await.expect("there is room");
    }
    assert_eq!(shops.next().await, Some(("books", 1)));
    assert_eq!(shops.next_many(&mut batch, 8).await, 1);
    assert_eq!(batch, [("books", 2)]);
    agrees("stream_map", "safe", "nothing");
}
