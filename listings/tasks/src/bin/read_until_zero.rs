//! Nothing read is the end.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

// ANCHOR: read_all
/// Reads until the peer has gone.
async fn read_all(
    mut stream: DuplexStream,
) -> io::Result<(usize, u32)> {
    let mut buffer = [0; 16];
    let (mut bytes, mut reads) = (0, 0);
    loop {
        let count = stream.read(&mut buffer).await?;
        reads += 1;
        if count == 0 {
            return Ok((bytes, reads));
        }
        bytes += count;
    }
}
// ANCHOR_END: read_all

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (ours, mut theirs) = duplex(64);
    theirs.write_all(b"hello").await?;
    // The peer goes away.
    drop(theirs);
    let (bytes, reads) = read_all(ours).await?;
    println!("{bytes} bytes, in {reads} reads");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ends_with_the_stream() -> io::Result<()> {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"hello").await?;
        drop(theirs);
        assert_eq!(read_all(ours).await?, (5, 2));
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_reads_all_on_many_threads() -> io::Result<()> {
        let (ours, mut theirs) = duplex(8);
        let read = tokio::spawn(read_all(ours));
        theirs.write_all(&[0; 100]).await?;
        drop(theirs);
        let (bytes, _) = read.await.map_err(io::Error::other)??;
        assert_eq!(bytes, 100);
        Ok(())
    }
}
