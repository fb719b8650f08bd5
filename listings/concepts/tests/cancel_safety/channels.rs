//! Channels.

use crate::row::{agrees, drop_pending};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

#[tokio::test]
async fn mpsc_recv() {
    let (sender, mut receiver) = mpsc::channel(1);
    drop_pending!(receiver.recv());
    sender.try_send(1).expect("there is room");
    assert_eq!(receiver.recv().await, Some(1));
    agrees("mpsc_recv", "safe", "nothing");
}

#[tokio::test]
async fn mpsc_recv_many() {
    let (sender, mut receiver) = mpsc::channel(2);
    let mut taken = Vec::new();
    drop_pending!(receiver.recv_many(&mut taken, 2));
    assert!(taken.is_empty());
    sender.try_send(1).expect("there is room");
    assert_eq!(receiver.recv_many(&mut taken, 2).await, 1);
    agrees("mpsc_recv_many", "safe", "nothing");
}

#[tokio::test]
async fn unbounded_recv() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    drop_pending!(receiver.recv());
    sender.send(1).expect("it is received");
    assert_eq!(receiver.recv().await, Some(1));
    agrees("unbounded_recv", "safe", "nothing");
}

#[tokio::test]
async fn mpsc_send() {
    let (sender, mut receiver) = mpsc::channel(1);
    sender.try_send(1).expect("there is room");
    drop_pending!(sender.send(2));
    assert_eq!(receiver.recv().await, Some(1));
    assert!(receiver.try_recv().is_err());
    agrees("mpsc_send", "not_safe", "the message");
}

#[tokio::test(start_paused = true)]
async fn mpsc_send_timeout() {
    let (sender, mut receiver) = mpsc::channel(1);
    sender.try_send(1).expect("there is room");
    let second = Duration::from_secs(1);
    drop_pending!(sender.send_timeout(2, second));
    let error = sender.send_timeout(3, second).await;
    assert_eq!(error.expect_err("there is no room").into_inner(), 3);
    assert_eq!(receiver.recv().await, Some(1));
    assert!(receiver.try_recv().is_err());
    agrees("mpsc_send_timeout", "not_safe", "the message");
}

#[tokio::test]
async fn mpsc_reserve() {
    let (sender, mut receiver) = mpsc::channel(1);
    sender.try_send(1).expect("there is room");
    drop_pending!(sender.reserve());
    drop_pending!(sender.reserve_many(1));

    // A second call queues behind those that came meanwhile.
    let mut other = std::pin::pin!(sender.reserve());
    {
        let mut first = std::pin::pin!(sender.reserve());
        assert!(futures::poll!(first.as_mut()).is_pending());
        assert!(futures::poll!(other.as_mut()).is_pending());
    }
    let mut again = std::pin::pin!(sender.reserve());
    assert!(futures::poll!(again.as_mut()).is_pending());
    assert_eq!(receiver.recv().await, Some(1));
    assert!(futures::poll!(again.as_mut()).is_pending());
    other.await.expect("there is room").send(2);
    assert_eq!(receiver.recv().await, Some(2));
    again.await.expect("there is room").send(3);
    assert_eq!(receiver.recv().await, Some(3));
    agrees("mpsc_reserve", "place_only", "the position in the queue");
}

#[tokio::test]
async fn mpsc_reserve_owned() {
    let (sender, mut receiver) = mpsc::channel(1);
    sender.try_send(1).expect("there is room");
    drop_pending!(sender.clone().reserve_owned());
    assert!(!receiver.is_closed());
    drop_pending!(sender.reserve_owned());
    assert_eq!(receiver.recv().await, Some(1));
    // That was the last sender.
    assert_eq!(receiver.recv().await, None);
    agrees(
        "mpsc_reserve_owned",
        "not_safe",
        "the sender, which the call consumes; if it was the last sender, the channel closes",
    );
}

#[tokio::test]
async fn oneshot_closed() {
    let (mut sender, receiver) = oneshot::channel::<u32>();
    drop_pending!(sender.closed());
    drop(receiver);
    sender.closed().await;
    agrees("oneshot_closed", "safe", "nothing");
}

#[tokio::test]
async fn broadcast_closed() {
    let (sender, receiver) = broadcast::channel::<u32>(1);
    drop_pending!(sender.closed());
    drop(receiver);
    sender.closed().await;
    agrees("broadcast_closed", "safe", "nothing");
}

#[tokio::test]
async fn mpsc_closed() {
    let (sender, receiver) = mpsc::channel::<u32>(1);
    drop_pending!(sender.closed());
    drop(receiver);
    sender.closed().await;
    agrees("mpsc_closed", "safe", "nothing");
}

#[tokio::test]
async fn oneshot_borrowed() {
    let (sender, mut receiver) = oneshot::channel();
    drop_pending!(&mut receiver);
    sender.send(1).expect("it is received");
    assert_eq!(receiver.await, Ok(1));
    agrees("oneshot_borrowed", "safe", "nothing");
}

#[tokio::test]
async fn oneshot_given_away() {
    let (sender, receiver) = oneshot::channel();
    {
        let mut wait = std::pin::pin!(receiver);
        assert!(futures::poll!(wait.as_mut()).is_pending());
        assert_eq!(sender.send(1), Ok(()));
        // Dropped before it is polled again: the value was on its way.
    }
    agrees(
        "oneshot_given_away",
        "not_safe",
        "the value, although the sender gets no error",
    );
}

#[tokio::test]
async fn broadcast_recv() {
    let (sender, mut receiver) = broadcast::channel(1);
    drop_pending!(receiver.recv());
    sender.send(1).expect("it is received");
    assert_eq!(receiver.recv().await, Ok(1));
    drop_pending!(receiver.recv());
    sender.send(2).expect("it is received");
    sender.send(3).expect("it is received");
    assert!(receiver.recv().await.is_err(), "it lags");
    agrees("broadcast_recv", "safe", "nothing");
}

#[tokio::test]
async fn watch_changed() {
    let (sender, mut receiver) = watch::channel(0);
    drop_pending!(receiver.changed());
    sender.send(1).expect("it is watched");
    receiver.changed().await.expect("it is sent");
    assert_eq!(*receiver.borrow(), 1);
    agrees("watch_changed", "safe", "nothing");
}

#[tokio::test]
async fn watch_wait_for() {
    let (sender, mut receiver) = watch::channel(0);
    drop_pending!(receiver.wait_for(|value| *value == 2));
    sender.send(2).expect("it is watched");
    let seen = receiver.wait_for(|value| *value == 2).await;
    assert_eq!(*seen.expect("it is sent"), 2);
    agrees("watch_wait_for", "safe", "nothing");
}

#[tokio::test]
async fn watch_closed() {
    let (sender, receiver) = watch::channel(0);
    drop_pending!(sender.closed());
    drop(receiver);
    sender.closed().await;
    agrees("watch_closed", "safe", "nothing");
}
