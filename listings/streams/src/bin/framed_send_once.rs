//! The order goes into the buffer once, and is flushed until it is out.

use futures::{SinkExt, StreamExt};
use tokio::{
    io::{DuplexStream, duplex},
    time::{Duration, sleep, timeout},
};
use tokio_util::codec::{
    FramedRead, FramedWrite, LinesCodec, LinesCodecError,
};

type Lines = FramedWrite<DuplexStream, LinesCodec>;

// ANCHOR: once
/// `feed` puts the line into the buffer. Only `flush` is called
/// again, and that goes on where it was.
async fn send_order(
    lines: &mut Lines,
    order: &str,
) -> Result<(), LinesCodecError> {
    let limit = Duration::from_millis(50);
    lines.feed(order).await?;
    loop {
        match timeout(limit, SinkExt::<&str>::flush(lines)).await {
            Ok(flushed) => return flushed,
            Err(_) => println!("{order}: the peer is slow"),
        }
    }
}
// ANCHOR_END: once

/// Two orders, for a peer that reads after 120 ms, over a connection
/// in which there is room for four bytes.
async fn received() -> Vec<String> {
    let (ours, theirs) = duplex(4);
    let send = async {
        let mut lines = FramedWrite::new(ours, LinesCodec::new());
        for order in ["order 1", "order 2"] {
            send_order(&mut lines, order).await.expect("it reads");
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
    println!("received: {:?}", received().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_order_arrives_once() {
        assert_eq!(received().await, ["order 1", "order 2"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_order_arrives_once_on_many_threads() {
        let received = tokio::spawn(received()).await;
        let expected = ["order 1", "order 2"];
        assert_eq!(received.expect("no panic"), expected);
    }
}
