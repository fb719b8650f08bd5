//! Test both ends of a connection in memory.

use std::{io, time::Duration};

use tokio::{
    io::{
        AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite,
        AsyncWriteExt, BufReader, duplex, split,
    },
    time::{Instant, sleep, timeout},
};

// ANCHOR: session
/// How long a client may send nothing, or leave a receipt unread.
const IDLE: Duration = Duration::from_secs(300);
const DEAF: Duration = Duration::from_secs(10);
/// The longest line that's accepted, in bytes.
const LONGEST: u64 = 100;

/// Answers each line with a receipt until the client disconnects.
/// Returns the number of lines.
async fn serve<S>(client: S) -> io::Result<u32>
where
    S: AsyncRead + AsyncWrite,
{
    let (read, mut write) = split(client);
    let mut read = BufReader::new(read);
    let mut served = 0;
    loop {
        let mut line = String::new();
        let mut one = (&mut read).take(LONGEST);
        timeout(IDLE, one.read_line(&mut line)).await??;
        if line.is_empty() {
            return Ok(served);
        }
        if !line.ends_with('\n') {
            let error = format!("{line:?} is no line");
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                error,
            ));
        }
        let receipt = format!("paid {line}");
        let answer = async {
            write.write_all(receipt.as_bytes()).await?;
            // Without a flush, a TLS stream may keep the receipt.
            write.flush().await
        };
        timeout(DEAF, answer).await??;
        served += 1;
    }
}
// ANCHOR_END: session

// ANCHOR: both
/// Both ends in one test. Each direction has room for 8 bytes, so
/// every longer line is written and read in pieces.
async fn talk() -> io::Result<(u32, Vec<String>)> {
    let (here, there) = duplex(8);
    let client = async {
        let (read, mut write) = split(here);
        let mut lines = BufReader::new(read).lines();
        let mut receipts = Vec::new();
        for order in ["order 17", "order 18"] {
            write.write_all(order.as_bytes()).await?;
            sleep(Duration::from_secs(60)).await;
            write.write_all(b"\n").await?;
            receipts.extend(lines.next_line().await?);
        }
        // Both halves are dropped: the server reads the end.
        Ok(receipts)
    };
    tokio::try_join!(serve(there), client)
}
// ANCHOR_END: both

// ANCHOR: full
/// A client that never reads: there's no room for its third receipt.
async fn deaf_client() -> io::Result<u32> {
    let (mut here, there) = duplex(32);
    here.write_all(b"order 1\norder 2\norder 3\n").await?;
    let served = serve(there).await;
    // Keeps the connection open until here.
    drop(here);
    served
}
// ANCHOR_END: full

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let start = Instant::now();
    let (served, receipts) = talk().await?;
    println!("served {served} in {:?}", start.elapsed());
    println!("the client read {receipts:?}");
    let start = Instant::now();
    if let Err(error) = deaf_client().await {
        println!("deaf client: {error} ({:?})", start.elapsed());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hazards::{HOUR, within};

    #[tokio::test(start_paused = true)]
    async fn slow_client_gets_a_receipt_for_each_order()
    -> io::Result<()> {
        let (served, receipts) = talk().await?;
        assert_eq!(served, 2);
        assert_eq!(receipts, ["paid order 17", "paid order 18"]);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_client_ends_its_session() {
        for served in [
            within(HOUR, deaf_client()).await,
            within(HOUR, serve(hazards::Silent)).await,
        ] {
            let error = served.expect_err("it is silent");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_what_a_client_sends() -> io::Result<()> {
        for (sent, served) in [
            ("", Ok(0)),
            ("\n", Ok(1)),
            ("café\n", Ok(1)),
            ("order 1\norder", Err(io::ErrorKind::InvalidData)),
            (&format!("{}\n", "x".repeat(99)), Ok(1)),
            (
                &format!("{}\n", "x".repeat(100)),
                Err(io::ErrorKind::InvalidData),
            ),
        ] {
            let (mut here, there) = duplex(1024);
            here.write_all(sent.as_bytes()).await?;
            here.shutdown().await?;
            let outcome = serve(there).await;
            assert_eq!(outcome.map_err(|it| it.kind()), served);
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn failure_to_write_reaches_the_caller() {
        for good in 0..3 {
            let (mut here, there) = duplex(1024);
            let orders = b"order 1\norder 2\norder 3\n";
            here.write_all(orders).await.expect("there is room");
            let there = hazards::Failing::after(there, good);
            let error = serve(there).await.expect_err("it fails");
            assert_eq!(error.to_string(), "disk full");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_client_of_a_buffered_stream() -> io::Result<()> {
        let (mut here, there) = duplex(64);
        let there = tokio::io::BufStream::new(there);
        let client = async {
            here.write_all(b"order 17\n").await?;
            let mut receipt = [0; 14];
            here.read_exact(&mut receipt).await?;
            here.shutdown().await?;
            io::Result::Ok(receipt)
        };
        let both = async { tokio::try_join!(serve(there), client) };
        let (served, receipt) = within(HOUR, both).await?;
        assert_eq!((served, &receipt), (1, b"paid order 17\n"));
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_closes_the_connection() {
        hazards::at_every_poll(async |cancel| {
            let (mut here, there) = duplex(8);
            let client = async {
                let sent = here.write_all(b"order 17\n").await;
                let mut byte = [0];
                // Reads until the end of the stream.
                while here.read(&mut byte).await? > 0 {
                    if byte == *b"\n" {
                        here.shutdown().await?;
                    }
                }
                sent
            };
            let session = async { cancel.run(serve(there)).await };
            let both = async { tokio::join!(client, session) };
            let (_, served) = within(HOUR, both).await;
            let served = served.map(|served| served.expect("it is"));
            assert!(served.is_none_or(|served| served == 1));
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn owner_gone_the_other_end_may_close() -> io::Result<()> {
        let (here, there) = duplex(64);
        drop(here);
        assert_eq!(serve(there).await?, 0);
        Ok(())
    }
}
