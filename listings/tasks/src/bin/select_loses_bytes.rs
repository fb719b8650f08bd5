//! Wrong: a tick wins, and the bytes that were read are lost.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{interval, sleep},
};

// ANCHOR: wrong
/// Wrong: only the future of `read_exact` knows how many bytes it has
/// read. When the tick wins, `select!` drops that future, so the next
/// frame starts in the middle of this one.
async fn read_frames(
    mut stream: DuplexStream,
) -> io::Result<(Vec<String>, u32)> {
    let mut tick = interval(Duration::from_millis(22));
    let mut frames = Vec::new();
    let mut ticks = 0;
    loop {
        let mut frame = [0; 4];
        tokio::select! {
            read = stream.read_exact(&mut frame) => match read {
                Ok(_) => frames.push(text(&frame)),
                Err(error) if is_end(&error) => break,
                Err(error) => return Err(error),
            },
            _ = tick.tick() => ticks += 1,
        }
    }
    Ok((frames, ticks))
}
// ANCHOR_END: wrong

fn text(frame: &[u8]) -> String {
    String::from_utf8_lossy(frame).into_owned()
}

fn is_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_by_a_tick_loses_no_byte() -> io::Result<()> {
        let (ours, theirs) = duplex(64);
        let (read, sent) =
            tokio::join!(read_frames(ours), peer(theirs));
        sent?;
        // The mistake: half of the first frame is lost.
        assert!(!read?.0.contains(&"ABCD".to_owned()));
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dropped_read_takes_its_bytes_along() -> io::Result<()> {
        let (mut ours, mut theirs) = duplex(64);
        theirs.write_all(b"AB").await?;
        let mut frame = [0; 4];
        let mut read = Box::pin(ours.read_exact(&mut frame));
        assert!(futures::poll!(read.as_mut()).is_pending());
        drop(read);
        theirs.write_all(b"CD12").await?;
        ours.read_exact(&mut frame).await?;
        assert_eq!(&frame, b"CD12");
        Ok(())
    }
}
