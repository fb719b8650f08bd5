//! Buffer the order once, and flush until it's sent.

// ANCHOR: once
use std::io;

use futures::SinkExt;
use tokio::time::{Duration, timeout};
use tokio_util::codec::{FramedWrite, LinesCodec, LinesCodecError};

const SLOW: Duration = Duration::from_millis(50);
const GIVE_UP: Duration = Duration::from_secs(60);

/// `feed` buffers the line once. After each call of `slow`, only
/// `flush` is called again, and continues where it stopped.
///
/// # Errors
///
/// The order has a line break and isn't sent, the connection fails, or
/// the peer takes more than a minute. In the last two cases, or if this
/// is dropped, the order may have arrived, so don't just send it again.
/// Drop `lines`, because part of the order may be in its buffer.
async fn send_order<S: AsyncWrite + Unpin>(
    lines: &mut FramedWrite<S, LinesCodec>,
    order: &str,
    mut slow: impl FnMut(&str),
) -> Result<(), LinesCodecError> {
    // The peer would read two orders. The codec doesn't prevent that.
    if order.contains('\n') {
        return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
    }
    let sending = async {
        lines.feed(order).await?;
        loop {
            let flush = SinkExt::<&str>::flush(lines);
            match timeout(SLOW, flush).await {
                Ok(flushed) => return flushed,
                Err(_) => slow(order),
            }
        }
    };
    let sent = timeout(GIVE_UP, sending).await;
    sent.map_err(io::Error::from)?
}
// ANCHOR_END: once

use futures::StreamExt;
use tokio::{
    io::{AsyncWrite, duplex},
    time::sleep,
};
use tokio_util::codec::FramedRead;

/// Two orders, for a peer that reads after 120 ms, over a connection
/// in which there is room for four bytes.
async fn received(mut slow: impl FnMut(&str)) -> Vec<String> {
    let (ours, theirs) = duplex(4);
    let send = async {
        let mut lines = FramedWrite::new(ours, LinesCodec::new());
        for order in ["order 1", "order 2"] {
            let sent = send_order(&mut lines, order, &mut slow).await;
            sent.expect("it reads");
        }
    };
    let receive = async {
        sleep(Duration::from_millis(120)).await;
        let lines = FramedRead::new(theirs, LinesCodec::new());
        lines.map(|line| line.expect("text")).collect().await
    };
    tokio::join!(receive, send).0
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let slow = |order: &str| println!("{order}: the peer is slow");
    println!("received: {:?}", received(slow).await);
}

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_peer() {
        let mut slow = Vec::new();
        let note = |order: &str| slow.push(order.to_owned());
        assert_eq!(received(note).await, ["order 1", "order 2"]);
        assert_eq!(slow, ["order 1", "order 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_writes_get_each_order_once() {
        let (ours, theirs) = duplex(2);
        let send = async {
            let ours = Slow::new(ours, 3 * SLOW);
            let mut lines = FramedWrite::new(ours, LinesCodec::new());
            for order in ["order 1", "order 2"] {
                send_order(&mut lines, order, |_| ())
                    .await
                    .expect("it reads");
            }
        };
        let receive = async {
            let lines = FramedRead::new(theirs, LinesCodec::new());
            lines.map(|line| line.expect("text")).collect().await
        };
        let received: Vec<_> = tokio::join!(receive, send).0;
        assert_eq!(received, ["order 1", "order 2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_peer_has_a_minute_for_an_order_and_no_more() {
        for (pause, in_time) in [(59, true), (61, false)] {
            let (ours, theirs) = duplex(4);
            let mut lines = FramedWrite::new(ours, LinesCodec::new());
            let receive = async {
                sleep(Duration::from_secs(pause)).await;
                let mut lines =
                    FramedRead::new(theirs, LinesCodec::new());
                // The whole order, or nothing that looks like one.
                lines.next().await.map(|line| line.ok())
            };
            let send = async move {
                let sent =
                    send_order(&mut lines, "order 1", |_| ()).await;
                drop(lines); // As documented.
                sent
            };
            let (received, sent) = tokio::join!(receive, send);
            assert_eq!(sent.is_ok(), in_time, "{pause} s");
            let whole = Some(Some("order 1".to_owned()));
            assert_eq!(received == whole, in_time, "{received:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error() {
        // With a full buffer, `feed` waits as well.
        for order in ["order 1", &"x".repeat(10_000)] {
            let mut lines = FramedWrite::new(Silent, LinesCodec::new());
            let sending = send_order(&mut lines, order, |_| ());
            let error =
                within(HOUR, sending).await.expect_err("silent");
            assert_eq!(error.to_string(), "timed out");
            let sending = send_order(&mut lines, "order 2", |_| ());
            assert!(within(HOUR, sending).await.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_any_write_is_returned() {
        for good in 0..3 {
            let socket = Failing::after(Vec::new(), good);
            let mut lines = FramedWrite::new(socket, LinesCodec::new());
            for order in 0..=good {
                let order = format!("order {order}");
                let sent = send_order(&mut lines, &order, |_| ()).await;
                assert!(sent.is_err() || order != "order 2");
            }
            let error =
                send_order(&mut lines, "the last", |_| ()).await;
            let error = error.expect_err("it's broken");
            assert_eq!(error.to_string(), "disk full");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_sends_no_order_twice() {
        at_every_poll(async |cancel| {
            let (ours, mut theirs) = duplex(4);
            let mut lines = FramedWrite::new(ours, LinesCodec::new());
            let mut received = String::new();
            let complete = {
                let sending = async {
                    send_order(&mut lines, "order 1", |_| ()).await
                };
                let receiving = async {
                    let mut byte = [0];
                    while !received.ends_with('\n') {
                        let read = theirs.read_exact(&mut byte).await;
                        read.expect("it is sent");
                        received.push(char::from(byte[0]));
                    }
                };
                let both = async { tokio::join!(sending, receiving) };
                cancel.run(both).await.is_some()
            };
            drop(lines); // As documented.
            let rest = theirs.read_to_string(&mut received).await;
            rest.expect("it ends");
            assert!("order 1\n".starts_with(&received));
            assert!(!complete || received == "order 1\n");
        })
        .await;
    }

    #[tokio::test]
    async fn edges_an_empty_order_and_a_long_one() {
        for order in ["", "ä", &"x".repeat(100_000)] {
            let mut lines =
                FramedWrite::new(Vec::new(), LinesCodec::new());
            let sent = send_order(&mut lines, order, |_| ()).await;
            assert!(sent.is_ok());
            let expected = format!("{order}\n");
            assert_eq!(*lines.get_ref(), expected.as_bytes());
        }
    }

    #[tokio::test]
    async fn edges_an_order_that_is_not_one_line_is_not_sent() {
        let mut lines = FramedWrite::new(Vec::new(), LinesCodec::new());
        for order in ["\n", "tea\npay 1000", "tea\n"] {
            let sent = send_order(&mut lines, order, |_| ()).await;
            let Err(LinesCodecError::Io(error)) = sent else {
                panic!("{order:?} isn't one line")
            };
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        let sent = send_order(&mut lines, "tea", |_| ()).await;
        sent.expect("it's a line");
        assert_eq!(lines.get_ref(), b"tea\n");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_send_each_order_once() {
        let received = tokio::spawn(received(|_| ())).await;
        let expected = ["order 1", "order 2"];
        assert_eq!(received.expect("no panic"), expected);
    }
}
