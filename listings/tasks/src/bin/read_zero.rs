//! Wrong: the peer has gone, and the loop goes on reading nothing.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

// ANCHOR: wrong
/// Wrong: at the end of the stream, `read` returns `Ok(0)`, at once
/// and forever. This takes it for a read like any other.
async fn read_all(
    mut stream: DuplexStream,
) -> io::Result<(usize, u32)> {
    let mut buffer = [0; 16];
    let (mut bytes, mut reads) = (0, 0);
    loop {
        bytes += stream.read(&mut buffer).await?;
        reads += 1;
        if give_up_after(reads) {
            return Ok((bytes, reads));
        }
    }
}
// ANCHOR_END: wrong

/// So that this program ends.
fn give_up_after(reads: u32) -> bool {
    reads == 10_000
}

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
    async fn it_reads_nothing_for_ever() -> io::Result<()> {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"hello").await?;
        drop(theirs);
        assert_eq!(read_all(ours).await?, (5, 10_000));
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_end_stays_the_end_on_many_threads() -> io::Result<()> {
        let (mut ours, theirs) = duplex(64);
        drop(theirs);
        for _ in 0..100 {
            assert_eq!(ours.read(&mut [0; 16]).await?, 0);
        }
        Ok(())
    }
}
