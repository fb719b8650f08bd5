//! The buffer outlives the branch, so a tick loses no bytes.

use std::{io, time::Duration};

use tokio::{
    io::{
        AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, duplex,
    },
    time::{Instant, interval, sleep, sleep_until},
};

// ANCHOR: read_frames
/// Reads frames of four bytes until the end of the stream. The bytes
/// that have been read are in `buffer`. `read_buf` is cancel safe: if
/// it's dropped, it hasn't read anything.
///
/// Dropping `read_frames` itself loses the frames read so far.
///
/// # Errors
///
/// A read fails, the last frame is cut off, or the peer sends nothing
/// for `SILENCE`.
async fn read_frames(
    mut stream: impl AsyncRead + Unpin,
) -> io::Result<(Vec<String>, u32)> {
    let mut tick = interval(Duration::from_millis(22));
    let (mut frames, mut ticks) = (Vec::new(), 0);
    let mut buffer = Vec::with_capacity(64);
    let mut last_read = Instant::now();
    loop {
        tokio::select! {
            read = stream.read_buf(&mut buffer) => {
                if read? == 0 {
                    break;
                }
                last_read = Instant::now();
                while buffer.len() >= 4 {
                    let frame: Vec<u8> = buffer.drain(..4).collect();
                    frames.push(text(&frame));
                }
            }
            _ = tick.tick() => ticks += 1,
            () = sleep_until(last_read + SILENCE) => {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
    if buffer.is_empty() { Ok((frames, ticks)) } else { Err(cut_off()) }
}
// ANCHOR_END: read_frames

const SILENCE: Duration = Duration::from_secs(30);

fn cut_off() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

fn text(frame: &[u8]) -> String {
    String::from_utf8_lossy(frame).into_owned()
}

/// A peer that writes two frames, in pieces, one every 15 ms.
async fn peer(mut stream: DuplexStream) -> io::Result<()> {
    for piece in ["AB", "CD", "EF", "GH"] {
        sleep(Duration::from_millis(15)).await;
        stream.write_all(piece.as_bytes()).await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let (ours, theirs) = duplex(64);
    let (read, sent) = tokio::join!(read_frames(ours), peer(theirs));
    sent?;
    let (frames, ticks) = read?;
    println!("sent: ABCD, EFGH");
    println!("read: {frames:?}, between {ticks} ticks");
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, Slow, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_by_a_tick_loses_no_byte() -> io::Result<()> {
        let (ours, theirs) = duplex(64);
        let (read, sent) =
            tokio::join!(read_frames(ours), peer(theirs));
        sent?;
        assert_eq!(read?.0, ["ABCD", "EFGH"]);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_frames() -> io::Result<()> {
        for (bytes, frames) in [(0, 0), (4, 1), (400, 100)] {
            let read = read_frames(&vec![b'x'; bytes][..]).await?;
            assert_eq!(read.0.len(), frames);
        }
        for bytes in [1, 3, 5] {
            let read = read_frames(&vec![b'x'; bytes][..]).await;
            let error = read.expect_err("it is cut off");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error() {
        let read = within(HOUR, read_frames(Silent)).await;
        let error = read.expect_err("it says nothing");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_peers_lose_no_byte() -> io::Result<()> {
        let (ours, mut theirs) = duplex(3);
        let send = async move {
            for byte in *b"ABCDEFGH" {
                sleep(SILENCE / 2).await;
                theirs.write_all(&[byte]).await?;
            }
            io::Result::Ok(())
        };
        let (read, sent) = tokio::join!(read_frames(ours), send);
        sent?;
        assert_eq!(read?.0, ["ABCD", "EFGH"]);
        // It is dropped while it waits for its turn to read.
        let slow = Slow::new(&b"ABCD"[..], Duration::from_millis(50));
        assert_eq!(within(HOUR, read_frames(slow)).await?.0, ["ABCD"]);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_a_read_is_returned() {
        let peer = Failing::after(&b"ABCD"[..], 1);
        let error = read_frames(peer).await.expect_err("it fails");
        assert_eq!(error.to_string(), "disk full");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_every_frame_arrives() -> io::Result<()> {
        let (ours, theirs) = duplex(3);
        let peer = tokio::spawn(peer(theirs));
        assert_eq!(read_frames(ours).await?.0, ["ABCD", "EFGH"]);
        peer.await.map_err(io::Error::other)?
    }
}
