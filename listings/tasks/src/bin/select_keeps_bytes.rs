//! The buffer outlives the branch, so a tick costs no byte.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{interval, sleep},
};

// ANCHOR: read_frames
/// Reads frames of four bytes. What has been read stays in `buffer`,
/// and `read_buf` is cancel safe: dropped, it has read nothing.
async fn read_frames(
    mut stream: DuplexStream,
) -> io::Result<(Vec<String>, u32)> {
    let mut tick = interval(Duration::from_millis(22));
    let mut frames = Vec::new();
    let mut ticks = 0;
    let mut buffer = Vec::with_capacity(64);
    loop {
        tokio::select! {
            read = stream.read_buf(&mut buffer) => {
                if read? == 0 {
                    break;
                }
                while buffer.len() >= 4 {
                    let frame: Vec<u8> = buffer.drain(..4).collect();
                    frames.push(text(&frame));
                }
            }
            _ = tick.tick() => ticks += 1,
        }
    }
    match buffer.is_empty() {
        true => Ok((frames, ticks)),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
// ANCHOR_END: read_frames

fn text(frame: &[u8]) -> String {
    String::from_utf8_lossy(frame).into_owned()
}

/// A peer that writes two frames, in pieces, one each 15 ms.
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_frame_arrives() -> io::Result<()> {
        let (ours, theirs) = duplex(64);
        let (read, sent) =
            tokio::join!(read_frames(ours), peer(theirs));
        sent?;
        assert_eq!(read?.0, ["ABCD", "EFGH"]);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_is_cut_off_is_an_error() -> io::Result<()> {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"ABCDE").await?;
        drop(theirs);
        let error = read_frames(ours).await.expect_err("it is cut off");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_frame_arrives_on_many_threads() -> io::Result<()> {
        let (ours, theirs) = duplex(3);
        let peer = tokio::spawn(peer(theirs));
        assert_eq!(read_frames(ours).await?.0, ["ABCD", "EFGH"]);
        peer.await.map_err(io::Error::other)?
    }
}
