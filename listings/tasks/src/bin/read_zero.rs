//! Wrong: the peer has disconnected, but the loop keeps reading.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

// ANCHOR: wrong
/// Wrong: at the end of the stream, every `read` returns `Ok(0)`
/// immediately. This loop treats it like any other read.
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
    // The peer closes the connection.
    drop(theirs);
    let (bytes, reads) = read_all(ours).await?;
    println!("{bytes} bytes, in {reads} reads");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn edges_the_end_of_the_stream_ends_it() -> io::Result<()> {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"hello").await?;
        drop(theirs);
        // The mistake: it would read forever.
        assert_eq!(read_all(ours).await?, (5, 10_000));
        Ok(())
    }

    #[tokio::test]
    async fn others_run_now_and_then_while_it_spins() -> io::Result<()>
    {
        let (ours, theirs) = duplex(64);
        drop(theirs);
        let spinning = tokio::spawn(read_all(ours));
        let mut turns = 0;
        while !spinning.is_finished() {
            turns += 1;
            tokio::task::yield_now().await;
        }
        // A read takes from the coop budget, which is 128.
        assert!((50..200).contains(&turns), "{turns}");
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
