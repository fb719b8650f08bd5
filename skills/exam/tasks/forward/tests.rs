//! A slow sink, a busy one, and a source without items.

use super::solution::forward;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

exam::tests! {
    paused items_arrive_in_order,
    paused it_beats_while_the_sink_is_full,
    paused a_stop_while_the_sink_is_full_loses_nothing,
    paused it_ends_when_nobody_receives,
    paused everyone_gets_a_turn,
    paused an_idle_source_leaves_the_slots_to_others,
}

const MOMENT: Duration = Duration::from_millis(10);

/// A source with the items 0, 1, 2, .. and its sender.
fn source(count: u32) -> (mpsc::Sender<u32>, mpsc::Receiver<u32>) {
    let (sender, items) = mpsc::channel(100);
    for item in 0..count {
        sender.try_send(item).expect("the source has room");
    }
    (sender, items)
}

async fn items_arrive_in_order() {
    let (sender, mut items) = source(100);
    drop(sender);
    let (sink, mut received) = mpsc::channel(2);
    let stop = CancellationToken::new();
    let receive = async {
        let mut got = Vec::new();
        while got.len() < 100 {
            sleep(MOMENT).await;
            got.push(received.recv().await.expect("the sink is open"));
        }
        got
    };
    let (left, got) = tokio::join!(forward(&mut items, &sink, &stop, || ()), receive);
    assert!(got.into_iter().eq(0..100), "the items and their order");
    assert_eq!(left, None, "all items were moved");
}

async fn it_beats_while_the_sink_is_full() {
    let (_sender, mut items) = source(3);
    let (sink, _received) = mpsc::channel(1);
    let (stop, mut beats) = (CancellationToken::new(), 0);
    let running = forward(&mut items, &sink, &stop, || beats += 1);
    let ended = timeout(Duration::from_millis(60_500), running).await;
    assert!(
        ended.is_err(),
        "there are more items, and it ended: {ended:?}"
    );
    assert!((59..=62).contains(&beats), "{beats} beats in a minute");
}

async fn a_stop_while_the_sink_is_full_loses_nothing() {
    let (sender, mut items) = source(10);
    let (sink, mut received) = mpsc::channel(3);
    let stop = CancellationToken::new();
    let mut got = Vec::new();
    {
        let mut running = pin!(forward(&mut items, &sink, &stop, || ()));
        let first = timeout(Duration::from_millis(5500), running.as_mut()).await;
        assert!(
            first.is_err(),
            "there are more items, and it ended: {first:?}"
        );
        stop.cancel();
        let stopped = timeout(MOMENT, running.as_mut()).await;
        let left = stopped.expect("it was stopped, and still waits for the sink");
        while let Ok(item) = received.try_recv() {
            got.push(item);
        }
        got.extend(left);
    }
    drop(sender);
    let again = CancellationToken::new();
    let receive = async {
        while let Some(item) = received.recv().await {
            got.push(item);
        }
    };
    let rest = async {
        let left = forward(&mut items, &sink, &again, || ()).await;
        drop(sink);
        left
    };
    let (left, ()) = tokio::join!(rest, receive);
    assert_eq!(left, None, "the second call moves all items");
    assert_eq!(got, (0..10).collect::<Vec<_>>(), "all items, in order");
}

async fn it_ends_when_nobody_receives() {
    // One has an item that waits for the sink, the other one waits for an item.
    for count in [5, 0] {
        let (_sender, mut items) = source(count);
        let (sink, received) = mpsc::channel(2);
        let stop = CancellationToken::new();
        let mut running = pin!(forward(&mut items, &sink, &stop, || ()));
        assert!(
            timeout(MOMENT, running.as_mut()).await.is_err(),
            "the sink is open"
        );
        drop(received);
        let ended = timeout(Duration::from_secs(5), running.as_mut()).await;
        let left = ended.expect("nobody receives anymore, and it still runs");
        let is_right = left.is_none_or(|item| count > 0 && item == 2);
        assert!(
            is_right,
            "items 0 and 1 were moved, and it returned {left:?}"
        );
    }
}

async fn everyone_gets_a_turn() {
    const OWN: u32 = 1_000_000;
    let (sender, mut items) = mpsc::channel(1);
    sender.try_send(OWN).expect("the source has room");
    let (sink, mut received) = mpsc::channel(1);
    let mut others = JoinSet::new();
    for other in 0..4 {
        let sink = sink.clone();
        others.spawn(async move { while sink.send(other).await.is_ok() {} });
    }
    sleep(MOMENT).await;
    let stop = CancellationToken::new();
    let receive = async {
        let mut got = Vec::new();
        sleep(Duration::from_millis(500)).await;
        while got.len() < 20 {
            sleep(Duration::from_secs(3)).await;
            got.push(received.recv().await.expect("the sink is open"));
        }
        stop.cancel();
        got
    };
    let (_, got) = tokio::join!(forward(&mut items, &sink, &stop, || ()), receive);
    let has_own = got.contains(&OWN);
    assert!(
        has_own,
        "four other tasks sent 20 items, and it couldn't move one: {got:?}"
    );
}

async fn an_idle_source_leaves_the_slots_to_others() {
    let (_sender, mut items) = source(0);
    let (sink, mut received) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let other = async {
        sleep(Duration::from_millis(3500)).await;
        let sent = timeout(Duration::from_secs(60), sink.send(7)).await;
        stop.cancel();
        sent
    };
    let (left, sent) = tokio::join!(forward(&mut items, &sink, &stop, || ()), other);
    let sent = sent.expect("the sink is empty, and nobody else can send: its slot is taken");
    sent.expect("the sink is open");
    assert_eq!(left, None, "the source is empty");
    assert_eq!(received.try_recv(), Ok(7), "what was received");
}
