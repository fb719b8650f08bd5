//! Wrong: after a timeout, the client sends the same order again.

use futures::{SinkExt, StreamExt};
use tokio::{
    io::{DuplexStream, duplex},
    time::{Duration, sleep, timeout},
};
use tokio_util::codec::{
    FramedRead, FramedWrite, LinesCodec, LinesCodecError,
};

type Lines = FramedWrite<DuplexStream, LinesCodec>;

// ANCHOR: wrong
/// Wrong: when the time is up, the line is already in the buffer of
/// `lines`, and stays there. Every further call adds it once more.
async fn send_order(
    lines: &mut Lines,
    order: &str,
) -> Result<(), LinesCodecError> {
    let limit = Duration::from_millis(50);
    loop {
        match timeout(limit, lines.send(order)).await {
            Ok(sent) => return sent,
            Err(_) => println!("{order}: the peer is slow, retrying"),
        }
    }
}
// ANCHOR_END: wrong

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
    async fn slow_peer() {
        let expected = ["order 1", "order 1", "order 1", "order 2"];
        assert_eq!(received().await, expected);
    }
}
