//! Writing to what takes bytes, slowly.

use crate::row::{agrees, drop_pending};
use futures::SinkExt;
use std::io::{self, IoSlice};
use tokio::io::{
    AsyncReadExt, AsyncWriteExt, BufWriter, copy as io_copy,
    copy_bidirectional, duplex,
};
use tokio_util::codec::{FramedWrite, LinesCodec};
use tokio_util::io::write_all_vectored;

/// What there is to read, now.
async fn taken(
    from: &mut (impl AsyncReadExt + Unpin),
    most: usize,
) -> io::Result<String> {
    let mut bytes = vec![0; most];
    let count = from.read(&mut bytes).await?;
    bytes.truncate(count);
    String::from_utf8(bytes).map_err(io::Error::other)
}

#[tokio::test]
async fn write() -> io::Result<()> {
    let (mut ours, mut theirs) = duplex(2);
    assert_eq!(ours.write(b"ab").await?, 2);
    drop_pending!(ours.write(b"cd"));
    let mut left = &b"cd"[..];
    drop_pending!(ours.write_buf(&mut left));
    let parts = [IoSlice::new(b"cd")];
    drop_pending!(ours.write_vectored(&parts));
    assert_eq!(taken(&mut theirs, 9).await?, "ab");
    assert_eq!(ours.write(b"cd").await?, 2);
    assert_eq!(taken(&mut theirs, 9).await?, "cd");
    agrees("write", "safe", "nothing");
    Ok(())
}

#[tokio::test]
async fn write_all() -> io::Result<()> {
    let (mut ours, mut theirs) = duplex(2);
    drop_pending!(ours.write_all(b"abcd"));
    let again =
        tokio::spawn(async move { ours.write_all(b"abcd").await });
    let mut all = String::new();
    theirs.read_to_string(&mut all).await?;
    again.await.map_err(io::Error::other)??;
    assert_eq!(all, "ababcd");
    agrees(
        "write_all",
        "not_safe",
        "how much was written, so the second call writes a part twice",
    );
    Ok(())
}

#[tokio::test]
async fn write_vectored() -> io::Result<()> {
    let (mut ours, mut theirs) = duplex(2);
    let parts = || [IoSlice::new(b"ab"), IoSlice::new(b"cd")];
    let mut first = parts();
    drop_pending!(write_all_vectored(&mut ours, &mut first));
    let again = tokio::spawn(async move {
        write_all_vectored(&mut ours, &mut parts()).await
    });
    let mut all = String::new();
    theirs.read_to_string(&mut all).await?;
    again.await.map_err(io::Error::other)??;
    assert_eq!(all, "ababcd");
    agrees(
        "write_vectored",
        "not_safe",
        "how much was written, so the second call writes a part twice",
    );
    Ok(())
}

#[tokio::test]
async fn write_all_buf() -> io::Result<()> {
    let (mut ours, mut theirs) = duplex(2);
    let mut left = &b"abcd"[..];
    drop_pending!(ours.write_all_buf(&mut left));
    assert_eq!(left, b"cd");
    let again =
        tokio::spawn(
            async move { ours.write_all_buf(&mut left).await },
        );
    let mut all = String::new();
    theirs.read_to_string(&mut all).await?;
    again.await.map_err(io::Error::other)??;
    assert_eq!(all, "abcd");
    agrees(
        "write_all_buf",
        "resumable",
        "nothing, because the buffer keeps track of the rest",
    );
    Ok(())
}

#[tokio::test]
async fn flush() -> io::Result<()> {
    let (ours, mut theirs) = duplex(2);
    let mut ours = BufWriter::new(ours);
    ours.write_all(b"abcd").await?;
    drop_pending!(ours.flush());
    assert_eq!(taken(&mut theirs, 9).await?, "ab");
    ours.flush().await?;
    assert_eq!(taken(&mut theirs, 9).await?, "cd");
    agrees("flush", "safe", "nothing");
    Ok(())
}

#[tokio::test]
async fn copy() -> io::Result<()> {
    let (mut source, mut feeds) = duplex(64);
    let (mut ours, mut theirs) = duplex(2);
    feeds.write_all(b"abcd").await?;
    drop_pending!(io_copy(&mut source, &mut ours));
    assert_eq!(taken(&mut theirs, 9).await?, "ab");
    drop(feeds);
    assert_eq!(io_copy(&mut source, &mut ours).await?, 0);
    agrees(
        "copy",
        "not_safe",
        "the bytes that were read but not yet written",
    );
    Ok(())
}

#[tokio::test]
async fn shutdown_writer() -> io::Result<()> {
    let (ours, mut theirs) = duplex(2);
    let mut ours = BufWriter::new(ours);
    ours.write_all(b"abcd").await?;
    drop_pending!(ours.shutdown());
    let again = tokio::spawn(async move { ours.shutdown().await });
    let mut all = String::new();
    theirs.read_to_string(&mut all).await?;
    again.await.map_err(io::Error::other)??;
    assert_eq!(all, "abcd");
    agrees("shutdown_writer", "safe", "nothing");
    Ok(())
}

#[tokio::test]
async fn copy_both_ways() -> io::Result<()> {
    let (mut client, mut left) = duplex(64);
    let (mut right, mut server) = duplex(2);
    client.write_all(b"abcd").await?;
    drop_pending!(copy_bidirectional(&mut left, &mut right));
    assert_eq!(taken(&mut server, 9).await?, "ab");
    drop((client, server));
    let again = copy_bidirectional(&mut left, &mut right).await;
    assert_eq!(again.map_or(0, |(there, _)| there), 0);
    agrees(
        "copy_both_ways",
        "not_safe",
        "the bytes that were read but not yet written, in both directions",
    );
    Ok(())
}

#[tokio::test]
async fn sink_flush() -> io::Result<()> {
    let (ours, mut theirs) = duplex(2);
    let mut lines = FramedWrite::new(ours, LinesCodec::new());
    lines.feed("a b").await.map_err(io::Error::other)?;
    drop_pending!(SinkExt::<&str>::flush(&mut lines));
    let again = tokio::spawn(async move {
        SinkExt::<&str>::flush(&mut lines).await
    });
    let mut all = String::new();
    theirs.read_to_string(&mut all).await?;
    let flushed = again.await.map_err(io::Error::other)?;
    flushed.map_err(io::Error::other)?;
    assert_eq!(all, "a b\n");
    agrees("sink_flush", "safe", "nothing");
    Ok(())
}

#[tokio::test]
async fn sink_send() -> io::Result<()> {
    // Into a framed stream: dropped while it flushes, it is sent later.
    let (ours, mut theirs) = duplex(2);
    let mut lines = FramedWrite::new(ours, LinesCodec::new());
    drop_pending!(lines.send("a b"));
    let closing = tokio::spawn(async move {
        SinkExt::<&str>::close(&mut lines).await
    });
    let mut all = String::new();
    theirs.read_to_string(&mut all).await?;
    closing
        .await
        .map_err(io::Error::other)?
        .map_err(io::Error::other)?;
    assert_eq!(all, "a b\n");

    // Into a channel that is full: dropped while it waits, it is gone.
    let (mut sender, mut receiver) = futures::channel::mpsc::channel(0);
    sender.try_send(1).map_err(io::Error::other)?;
    drop_pending!(sender.send(2));
    assert_eq!(receiver.try_recv().ok(), Some(1));
    assert!(receiver.try_recv().is_err());
    agrees(
        "sink_send",
        "not_safe",
        "the item, or the confirmation: the item may still be sent later",
    );
    Ok(())
}
