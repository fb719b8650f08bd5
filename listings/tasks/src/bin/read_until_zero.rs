//! A read of zero bytes is the end of the stream.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, duplex},
    time::timeout,
};

// ANCHOR: read_all
/// Reads until the peer has closed the connection, or only its write
/// half, so that no more bytes can arrive.
///
/// If this future is dropped, the bytes that it has read are lost.
///
/// # Errors
///
/// A read fails, or the peer sends nothing for `SILENCE`.
async fn read_all(
    mut stream: impl AsyncRead + Unpin,
) -> io::Result<(usize, u32)> {
    let mut buffer = [0; 16];
    let (mut bytes, mut reads) = (0, 0);
    loop {
        let read = timeout(SILENCE, stream.read(&mut buffer));
        let count = read.await??;
        reads += 1;
        if count == 0 {
            return Ok((bytes, reads));
        }
        bytes += count;
    }
}

const SILENCE: Duration = Duration::from_secs(30);
// ANCHOR_END: read_all

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let (ours, mut theirs) = duplex(64);
    theirs.write_all(b"hello").await?;
    // The peer closes the connection.
    drop(theirs);
    let (bytes, reads) = read_all(ours).await?;
    println!("{bytes} bytes, in {reads} reads");
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};
    use tokio::io::split;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_the_end_of_the_stream_ends_it() -> io::Result<()> {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"hello").await?;
        drop(theirs);
        assert_eq!(read_all(ours).await?, (5, 2));
        assert_eq!(read_all(io::Cursor::new([])).await?, (0, 1));
        // The peer can still read: it closed its writing half.
        let (ours, mut theirs) = duplex(64);
        theirs.shutdown().await?;
        assert_eq!(read_all(ours).await?, (0, 1));
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error() {
        let read = within(HOUR, read_all(Silent)).await;
        let error = read.expect_err("it says nothing");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_but_talking_is_no_error() -> io::Result<()> {
        let peer = Slow::new(&[7; 64][..], SILENCE / 2);
        assert_eq!(within(HOUR, read_all(peer)).await?, (64, 5));
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_a_read_is_returned() {
        let (ours, _theirs) = split(Failing::after(Silent, 0));
        let read = within(HOUR, read_all(ours)).await;
        assert_eq!(
            read.expect_err("it fails").to_string(),
            "disk full"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_stream_usable() {
        at_every_poll(async |cancel| {
            let (mut ours, mut theirs) = duplex(64);
            theirs.write_all(b"hello").await.expect("there is room");
            let mut peer = Some(theirs);
            let end = async {
                tokio::task::yield_now().await;
                peer.take();
            };
            let work =
                async { tokio::join!(read_all(&mut ours), end).0 };
            cancel.run(work).await;
            drop(peer);
            // What is left are the bytes that weren't read.
            assert!(read_all(&mut ours).await.is_ok());
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_all_is_read() -> io::Result<()> {
        let (ours, mut theirs) = duplex(8);
        let read = tokio::spawn(read_all(ours));
        theirs.write_all(&[0; 100]).await?;
        drop(theirs);
        let (bytes, _) = read.await.map_err(io::Error::other)??;
        assert_eq!(bytes, 100);
        Ok(())
    }
}
