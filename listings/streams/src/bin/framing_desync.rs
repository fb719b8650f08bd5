//! Wrong: after a tick, every length that the loop reads is nonsense.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{Duration, interval, sleep},
};

// ANCHOR: wrong
/// Wrong: when the tick wins, the bytes that were read are dropped
/// with `read_frame`. The next call reads the rest as a length.
async fn read_all(mut socket: DuplexStream) -> io::Result<u32> {
    let mut tick = interval(Duration::from_millis(25));
    let mut ticks = 0;
    loop {
        tokio::select! {
            frame = read_frame(&mut socket) => match frame? {
                Some(frame) => println!("frame {frame:?}"),
                None => return Ok(ticks),
            },
            _ = tick.tick() => ticks += 1,
        }
    }
}

async fn read_frame(
    socket: &mut DuplexStream,
) -> io::Result<Option<String>> {
    let length = match socket.read_u32().await {
        Err(error) if is_end(&error) => return Ok(None),
        length => length?,
    };
    if length > 1024 {
        let message = format!("a frame of {length} bytes");
        return Err(io::Error::other(message));
    }
    let mut frame = String::new();
    let length = u64::from(length);
    socket.take(length).read_to_string(&mut frame).await?;
    Ok(Some(frame))
}
// ANCHOR_END: wrong

fn is_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

/// A peer that writes three frames, in pieces, one every 16 ms.
async fn peer(mut socket: DuplexStream) {
    for piece in
        ["\0\0\0\x04paid", "\0\0\0\x04pa", "id", "\0\0\0\x04paid"]
    {
        if socket.write_all(piece.as_bytes()).await.is_err() {
            return; // The other side has disconnected.
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
    async fn cancel_in_the_middle_of_a_frame() {
        let (ours, theirs) = duplex(64);
        let (outcome, ()) = tokio::join!(read_all(ours), peer(theirs));
        let error = outcome.expect_err("no such frame").to_string();
        assert!(error.contains("bytes"), "{error}");
    }
}
