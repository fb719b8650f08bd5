//! A tick comes, and half a frame waits in the buffer.

use std::io;

use futures::StreamExt;
use tokio::{
    io::{AsyncWriteExt, DuplexStream, duplex},
    time::{Duration, interval, sleep},
};
use tokio_util::codec::LengthDelimitedCodec;

// ANCHOR: framed
/// What was read is in the buffer of `frames`, which stays, and not
/// in the future of `next`, which is dropped.
async fn read_all(socket: DuplexStream) -> io::Result<u32> {
    let mut frames = LengthDelimitedCodec::builder()
        .max_frame_length(1024)
        .new_read(socket);
    let mut tick = interval(Duration::from_millis(25));
    let mut ticks = 0;
    loop {
        tokio::select! {
            frame = frames.next() => match frame.transpose()? {
                Some(frame) => {
                    let text = String::from_utf8_lossy(&frame);
                    println!("frame {text:?}");
                }
                None => return Ok(ticks),
            },
            _ = tick.tick() => ticks += 1,
        }
    }
}
// ANCHOR_END: framed

/// A peer that writes three frames, in pieces, one each 16 ms.
async fn peer(mut socket: DuplexStream) {
    for piece in
        ["\0\0\0\x04paid", "\0\0\0\x04pa", "id", "\0\0\0\x04paid"]
    {
        if socket.write_all(piece.as_bytes()).await.is_err() {
            return; // The other side has hung up.
        }
        sleep(Duration::from_millis(16)).await;
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (ours, theirs) = duplex(64);
    let (outcome, ()) = tokio::join!(read_all(ours), peer(theirs));
    match outcome {
        Ok(ticks) => println!("the end, after {ticks} ticks"),
        Err(error) => println!("error: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_tick_loses_a_byte() {
        let (ours, theirs) = duplex(64);
        let (outcome, ()) = tokio::join!(read_all(ours), peer(theirs));
        assert!(outcome.expect("three whole frames") > 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dropped_next_keeps_its_bytes() -> io::Result<()> {
        let (ours, mut theirs) = duplex(64);
        let mut frames = LengthDelimitedCodec::builder().new_read(ours);
        theirs.write_all(b"\0\0\0\x04pa").await?;
        assert!(futures::poll!(frames.next()).is_pending());
        theirs.write_all(b"id").await?;
        let frame = frames.next().await.expect("an item")?;
        assert_eq!(&frame[..], b"paid");
        Ok(())
    }
}
